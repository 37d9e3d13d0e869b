"""The migrations, in the order of their numbers and of what they depend on."""
