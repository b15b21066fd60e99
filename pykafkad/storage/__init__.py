"""REMEMBERS: partition logs on disk in Kafka's formats; synchronous, through one Disk door."""
