"""The verbs of the command line, a file each: ABOUT, add_arguments, execute. What one needs is imported when it is asked for."""
