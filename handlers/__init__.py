"""The ready-made handlers, and the place for yours: ``inboxkit run`` loads every file here."""
