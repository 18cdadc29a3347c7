"""Other mail filters, started for tests with the configuration of packaging/examples/neighbours."""
