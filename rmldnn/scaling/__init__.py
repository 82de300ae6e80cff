"""What more nodes would bring: a probe of a training on this machine, and a model of what it would do on others."""
