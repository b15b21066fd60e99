"""Kafka's wire protocol: messages, record batches, stored records, compression. No I/O."""
