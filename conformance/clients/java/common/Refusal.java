import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.protocol.Errors;

/** What an exception says in Kafka's numbers. */
final class Refusal {
    private Refusal() {
    }

    static Map<String, Object> of(Throwable error) {
        while (error.getCause() != null && (error instanceof ExecutionException || error instanceof CompletionException)) {
            error = error.getCause();
        }
        var answer = new LinkedHashMap<String, Object>();
        if (ownPatience(error)) {
            answer.put("unanswered", String.valueOf(error));
        } else {
            answer.put("failed", code(error));
            answer.put("detail", String.valueOf(error));
        }
        return answer;
    }

    /**
     * What this release can't tell: which of three errors a CommitFailedException was, what initTransactions() didn't
     * expect, and every code that came after it, which it takes for UNKNOWN_SERVER_ERROR.
     */
    static List<Integer> hidden() {
        int newest = Arrays.stream(Errors.values()).mapToInt(Errors::code).max().orElse(0);
        var rebalanced = Stream.of(Errors.ILLEGAL_GENERATION, Errors.UNKNOWN_MEMBER_ID, Errors.REBALANCE_IN_PROGRESS);
        var unexpected = Stream.of(Errors.INVALID_TRANSACTION_TIMEOUT); // in a plain KafkaException that says it in words
        var younger = IntStream.rangeClosed(newest + 1, 150).boxed();
        return Stream.concat(Stream.concat(rebalanced, unexpected).map(error -> (int) error.code()), younger).toList();
    }

    static int code(Throwable error) {
        if (error instanceof OffsetOutOfRangeException) {
            return Errors.OFFSET_OUT_OF_RANGE.code(); // a class of the consumer's own, which the table doesn't know
        }
        return ownPatience(error) ? -1 : Errors.forException(error).code();
    }

    /** The same class stands for the broker's REQUEST_TIMED_OUT; only the text tells the two apart. */
    private static boolean ownPatience(Throwable error) {
        return error instanceof TimeoutException && !Errors.REQUEST_TIMED_OUT.message().equals(error.getMessage());
    }
}
