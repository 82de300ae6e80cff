"""Recipes: data, configuration and network of tasks that work; `rmldnn recipes` lists them."""
