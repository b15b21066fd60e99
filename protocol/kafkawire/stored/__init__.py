"""What is kept in internal topics, in the vocabulary of the messages."""
