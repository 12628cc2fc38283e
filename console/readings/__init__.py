"""What commands, the API and the pages show alike: read once, in one shape, for all of them."""
