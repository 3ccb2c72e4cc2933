"""Cases through adapter and oracle: the error measure, the pytest plugin, the tests, the commands."""
