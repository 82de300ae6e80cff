#!/bin/bash
# Installs Apptainer on a node of a cloud's cluster (Ubuntu 22.04 or 24.04), as root, when the node starts.
set -euo pipefail
version=1.4.5

command -v apptainer && exit 0
package="apptainer_${version}_$(dpkg --print-architecture).deb"
cd "$(mktemp -d)"
curl --fail --location --remote-name --retry 5 \
    "https://github.com/apptainer/apptainer/releases/download/v${version}/${package}"
apt-get update
DEBIAN_FRONTEND=noninteractive apt-get install --yes "./${package}"
apptainer --version
