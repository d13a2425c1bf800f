import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import org.apache.camel.AggregationStrategy;
import org.apache.camel.Exchange;
import org.apache.camel.builder.RouteBuilder;
import org.apache.camel.main.Main;
import org.apache.camel.model.dataformat.JsonLibrary;

/**
 * The route that the dispatcher replaces: notifications in, batches of 50 files or 30 s of silence, each to the light
 * or the heavy topic by its size. Offsets are committed by the clock, as Camel does by default: what waits in the
 * aggregator when the process is killed is lost.
 *
 * Arguments: brokers, group, source topic, light topic, heavy topic.
 */
public final class CamelDispatcher extends RouteBuilder {
    private static final int FILES = 50;
    private static final long SILENCE_MILLIS = 30_000;
    private static final long LIGHT_BYTES = 500_000_000;

    private final String brokers;
    private final String group;
    private final String source;
    private final String light;
    private final String heavy;

    private CamelDispatcher(String[] arguments) {
        brokers = arguments[0];
        group = arguments[1];
        source = arguments[2];
        light = arguments[3];
        heavy = arguments[4];
    }

    public static void main(String[] arguments) throws Exception {
        Main main = new Main();
        main.configure().addRoutesBuilder(new CamelDispatcher(arguments));
        main.run();
    }

    @Override
    public void configure() {
        String kafka = "kafka:%s?brokers=" + brokers;
        from(kafka.formatted(source) + "&groupId=" + group + "&autoOffsetReset=earliest")
            .unmarshal().json(JsonLibrary.Jackson, Map.class)
            .split().body(Map.class, message -> message.get("Records"))
            .filter(exchange -> wanted(exchange.getMessage().getBody(Map.class)))
            .aggregate(constant(true), new Files()).completionSize(FILES).completionTimeout(SILENCE_MILLIS)
            .process(CamelDispatcher::request)
            .choice()
            .when(exchangeProperty("bytes").isLessThan(LIGHT_BYTES))
            .marshal().json(JsonLibrary.Jackson)
            .to(kafka.formatted(light))
            .otherwise()
            .marshal().json(JsonLibrary.Jackson)
            .to(kafka.formatted(heavy));
    }

    /** A new object that is data by its name. */
    private static boolean wanted(Map<?, ?> record) {
        String name = key(record);
        String file = name.substring(name.lastIndexOf('/') + 1);
        return String.valueOf(record.get("eventName")).startsWith("ObjectCreated:")
            && file.endsWith(".parquet") && !file.startsWith("_") && !file.startsWith(".");
    }

    private static String key(Map<?, ?> record) {
        return URLDecoder.decode((String) object(record).get("key"), StandardCharsets.UTF_8);
    }

    private static Map<?, ?> object(Map<?, ?> record) {
        return (Map<?, ?>) ((Map<?, ?>) record.get("s3")).get("object");
    }

    private static String bucket(Map<?, ?> record) {
        return (String) ((Map<?, ?>) ((Map<?, ?>) record.get("s3")).get("bucket")).get("name");
    }

    /** Keeps what a request says of each file. */
    private static final class Files implements AggregationStrategy {
        @Override
        public Exchange aggregate(Exchange batch, Exchange arrived) {
            Map<?, ?> record = arrived.getMessage().getBody(Map.class);
            Exchange into = batch;
            if (into == null) {
                into = arrived;
                into.setProperty("files", new ArrayList<String>(FILES));
                into.setProperty("bytes", 0L);
            }
            @SuppressWarnings("unchecked")
            List<String> files = into.getProperty("files", List.class);
            files.add("s3://" + bucket(record) + "/" + key(record));
            long size = ((Number) object(record).get("size")).longValue();
            into.setProperty("bytes", into.getProperty("bytes", Long.class) + size);
            return into;
        }
    }

    private static void request(Exchange exchange) {
        List<?> files = exchange.getProperty("files", List.class);
        Map<String, Object> request = new LinkedHashMap<>();
        request.put("files", files);
        request.put("total_bytes", exchange.getProperty("bytes"));
        request.put("file_count", files.size());
        request.put("timestamp", Instant.now().toString());
        exchange.getMessage().removeHeaders("*");
        exchange.getMessage().setBody(request);
    }
}
