"""Other mail filters: started with packaging/examples/neighbours, and what is set in those that rules replace."""
