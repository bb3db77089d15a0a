"""The command line: one thin module a command. A command parses, calls one library function, prints."""
