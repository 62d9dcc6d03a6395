"""Models: plain functions from the messages of a chat to a reply, and those that ask a provider's."""
