"""What a file is and what a recording shows, before anything is made of it."""
