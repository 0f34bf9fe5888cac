"""How well the content of mail is read: cases, what is asked of a reader, and the figures."""
