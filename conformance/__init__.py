"""Black box: stock clients against real broker processes, ours and Apache Kafka, through the same scenarios."""
