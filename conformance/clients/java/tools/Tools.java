import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.kafka.common.utils.Exit;

/**
 * Kafka's console tools one after another in one JVM, because a tool takes a tenth of a second and its JVM a second.
 * A line of JSON {"main", "args", "stdin", "millis"} runs one; {"code", "out", "err"} is what a shell would have seen,
 * {"hung"} where all its threads stood when its time was over.
 */
public final class Tools {
    /** What Exit.exit throws here instead of ending the JVM; what the tool says while it unwinds isn't heard any more. */
    private static final class Exited extends Error {
        Exited(int code) {
            super("exit " + code, null, false, false);
        }
    }

    /** A stream that stays while what is behind it changes: Scala's println keeps the System.out it first saw. */
    private static final class Turntable extends OutputStream {
        private final ByteArrayOutputStream heard = new ByteArrayOutputStream();
        private boolean deaf;

        @Override
        public synchronized void write(int b) {
            write(new byte[] {(byte) b}, 0, 1);
        }

        @Override
        public synchronized void write(byte[] bytes, int from, int length) {
            if (!deaf) {
                heard.write(bytes, from, length);
            }
        }

        synchronized void listen(boolean wanted) {
            deaf = !wanted;
        }

        synchronized String taken() {
            String text = heard.toString(StandardCharsets.UTF_8);
            heard.reset();
            return text;
        }
    }

    private static final Turntable OUT = new Turntable();
    private static final Turntable ERR = new Turntable();
    private static final List<Runnable> HOOKS = new ArrayList<>();
    private static Integer code; // of the tool that runs; its first exit counts

    private Tools() {
    }

    public static void main(String[] args) throws Exception {
        var requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        var answers = System.out;
        var json = new ObjectMapper();
        System.setOut(new PrintStream(OUT, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(ERR, true, StandardCharsets.UTF_8));
        Exit.Procedure end = (status, message) -> {
            ended(status);
            throw new Exited(status);
        };
        Exit.setExitProcedure(end);
        Exit.setHaltProcedure(end);
        Exit.setShutdownHookAdder((name, hook) -> {
            synchronized (HOOKS) {
                HOOKS.add(hook);
            }
        });
        for (String line = requests.readLine(); line != null; line = requests.readLine()) {
            answers.println(json.writeValueAsString(run(json.readTree(line))));
        }
        Runtime.getRuntime().halt(0);
    }

    private static Map<String, Object> run(JsonNode request) throws Exception {
        var words = new ArrayList<String>();
        request.get("args").forEach(word -> words.add(word.asText()));
        System.setIn(new ByteArrayInputStream(request.get("stdin").asText().getBytes(StandardCharsets.UTF_8)));
        begun();
        var threads = new ThreadGroup("tool"); // a JVM ends when the last of them does, or at Exit.exit
        var tool = new Thread(threads, () -> started(request.get("main").asText(), words.toArray(String[]::new)), "tool");
        tool.start();
        long deadline = System.nanoTime() + request.get("millis").asLong() * 1_000_000;
        while (code() == null && System.nanoTime() < deadline) {
            if (alive(threads)) {
                Thread.sleep(5);
            } else {
                goodbye(); // heard: a tool may do its work here
                ended(0);
            }
        }
        tool.join(2000);
        if (code() == null) {
            String stacks = Thread.getAllStackTraces().entrySet().stream()
                .map(entry -> entry.getKey() + "\n    " + List.of(entry.getValue()).stream()
                    .map(String::valueOf).collect(Collectors.joining("\n    ")))
                .collect(Collectors.joining("\n"));
            return Map.of("hung", stacks, "out", OUT.taken(), "err", ERR.taken());
        }
        goodbye();
        return Map.of("code", code(), "out", OUT.taken(), "err", ERR.taken());
    }

    private static synchronized void begun() {
        code = null;
        for (Turntable stream : List.of(OUT, ERR)) {
            stream.taken();
            stream.listen(true);
        }
    }

    private static synchronized void ended(int status) {
        if (code == null) {
            code = status;
            OUT.listen(false);
            ERR.listen(false);
        }
    }

    private static synchronized Integer code() {
        return code;
    }

    private static boolean alive(ThreadGroup threads) {
        var found = new Thread[threads.activeCount() + 16];
        threads.enumerate(found);
        return Arrays.stream(found).anyMatch(thread -> thread != null && !thread.isDaemon());
    }

    private static void started(String main, String[] words) {
        try {
            Class.forName(main).getMethod("main", String[].class).invoke(null, (Object) words);
        } catch (InvocationTargetException error) {
            error.getCause().printStackTrace(); // as a JVM does with what main throws
            ended(1);
        } catch (ReflectiveOperationException error) {
            error.printStackTrace();
            ended(127);
        }
    }

    /** What a JVM does at its end. */
    private static void goodbye() throws InterruptedException {
        var running = new ArrayList<Thread>();
        synchronized (HOOKS) {
            HOOKS.forEach(hook -> running.add(new Thread(hook)));
            HOOKS.clear();
        }
        for (Thread hook : running) {
            hook.setDaemon(true);
            hook.start();
        }
        for (Thread hook : running) {
            hook.join(5000);
        }
    }
}
