import java.io.BufferedReader;
import java.io.FileOutputStream;
import java.io.FileDescriptor;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.utils.AppInfoParser;

/**
 * kafka-clients behind the protocol of remote drivers: a JSON line in, a JSON line out, delivery reports in between.
 * Compiled once against the recent release and once against the old one, each with its own Client beside it.
 */
public final class Driver {
    private final Output output = new Output(new FileOutputStream(FileDescriptor.out));
    private final Map<Integer, Sending> producers = new HashMap<>();
    private final Map<Integer, Reading> consumers = new HashMap<>();
    private final Map<Integer, Administration> admins = new HashMap<>();
    private int handles;

    /** Lines leave whole, whichever thread says them. */
    static final class Output {
        private final OutputStream stream;

        Output(OutputStream stream) {
            this.stream = stream;
        }

        synchronized void say(Map<String, Object> line) {
            try {
                stream.write((Json.text(line) + "\n").getBytes(StandardCharsets.UTF_8));
            } catch (IOException error) {
                Runtime.getRuntime().halt(1); // nobody listens any more
            }
        }
    }

    static Map<String, Object> map(Object... pairs) {
        var made = new LinkedHashMap<String, Object>();
        for (int i = 0; i < pairs.length; i += 2) {
            made.put((String) pairs[i], pairs[i + 1]);
        }
        return made;
    }

    static Thread daemon(Runnable work) {
        var thread = new Thread(work);
        thread.setDaemon(true);
        return thread;
    }

    public static void main(String[] args) throws IOException {
        new Driver().serve(new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8)));
    }

    private void serve(BufferedReader input) throws IOException {
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            try {
                var request = Json.object(line);
                String verb = (String) request.get("do");
                if (verb.equals("send")) {
                    known(producers, request, "producer").send(request);
                } else {
                    output.say(map("ok", answer(verb, request)));
                }
            } catch (Exception error) {
                output.say(Refusal.of(error));
            }
        }
        consumers.values().forEach(Reading::close); // as a member that leaves; the rest has nothing to say goodbye to
        Runtime.getRuntime().halt(0);
    }

    private Object answer(String verb, Map<String, Object> request) throws Exception {
        String bootstrap = (String) request.get("bootstrap");
        var options = Json.options(request);
        switch (verb) {
            case "hello" -> {
                String version = "kafka-clients " + AppInfoParser.getVersion() + " (Java " + Runtime.version().feature() + ")";
                return map("version", version, "cannot", Client.CANNOT, "hides", Refusal.hidden());
            }
            case "producer" -> {
                return kept(producers, new Sending(bootstrap, options, output));
            }
            case "flush" -> known(producers, request, "producer").flush(Json.millis(request.get("timeout")));
            case "begin" -> known(producers, request, "producer").begin();
            case "commit_transaction" -> known(producers, request, "producer").commit();
            case "abort" -> known(producers, request, "producer").abort();
            case "send_offsets" -> {
                var consumer = known(consumers, request, "consumer");
                known(producers, request, "producer").sendOffsets(consumer, Json.rows(request.get("offsets")));
            }
            case "close_producer" -> forgotten(producers, request, "producer").close();
            case "consumer" -> {
                @SuppressWarnings("unchecked")
                var topics = (List<String>) request.get("topics");
                return kept(consumers, Reading.member(bootstrap, (String) request.get("group"), topics, options));
            }
            case "poll" -> {
                return known(consumers, request, "consumer").poll(Json.millis(request.get("timeout")));
            }
            case "assignment" -> {
                return known(consumers, request, "consumer").assignment();
            }
            case "commit" -> known(consumers, request, "consumer").commit(Json.rows(request.get("offsets")));
            case "seek" -> known(consumers, request, "consumer").seek(where(request), (Long) request.get("offset"));
            case "close_consumer" -> forgotten(consumers, request, "consumer").close();
            case "read" -> {
                int count = Json.number(request.get("count"));
                long start = (Long) request.get("start");
                return Reading.range(bootstrap, where(request), start, count, Json.millis(request.get("timeout")), options);
            }
            case "offset_at" -> {
                return Reading.offset(bootstrap, where(request), (Long) request.get("timestamp"));
            }
            case "partitions" -> {
                var admin = new Administration(bootstrap);
                try {
                    return admin.partitions((String) request.get("topic"));
                } finally {
                    admin.close();
                }
            }
            case "admin" -> {
                return kept(admins, new Administration(bootstrap));
            }
            case "close_admin" -> forgotten(admins, request, "admin").close();
            default -> {
                return known(admins, request, "admin").answer(verb, request);
            }
        }
        return null;
    }

    private static TopicPartition where(Map<String, Object> request) {
        return new TopicPartition((String) request.get("topic"), Json.number(request.get("partition")));
    }

    private <T> int kept(Map<Integer, T> table, T made) {
        table.put(++handles, made);
        return handles;
    }

    private static <T> T known(Map<Integer, T> table, Map<String, Object> request, String name) {
        return found(table.get(handle(request, name)), request, name);
    }

    private static <T> T forgotten(Map<Integer, T> table, Map<String, Object> request, String name) {
        return found(table.remove(handle(request, name)), request, name);
    }

    private static int handle(Map<String, Object> request, String name) {
        return request.get(name) instanceof Long number ? Math.toIntExact(number) : 0;
    }

    private static <T> T found(T thing, Map<String, Object> request, String name) {
        if (thing == null) {
            throw new IllegalArgumentException("no such " + name + ": " + request);
        }
        return thing;
    }
}
