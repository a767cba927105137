"""The subcommands of augment."""
