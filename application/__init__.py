"""The commands of Daybook and the ports through which they reach the outside world. No vendor is imported here."""
