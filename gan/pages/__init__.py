"""Pages served on this machine: one server, one set of security headers, one style."""
