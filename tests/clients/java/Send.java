import io.cloudevents.CloudEvent;
import io.cloudevents.core.builder.CloudEventBuilder;
import io.cloudevents.core.message.Encoding;
import io.cloudevents.core.v1.CloudEventV1;
import io.cloudevents.jackson.JsonFormat;
import io.cloudevents.kafka.CloudEventSerializer;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.OffsetDateTime;
import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.common.utils.AppInfoParser;

/** Java's clients. usage: Send.java CLIENT BOOTSTRAP FILE JOB...; a job is CODEC:KEY, for cloudevents MODE:KEY. Prints the client's version. */
public class Send {
    public static void main(String[] args) throws Exception {
        byte[] sound = Files.readAllBytes(Path.of(args[2]));
        for (int i = 3; i < args.length; i++) {
            String[] job = args[i].split(":");
            if (args[0].equals("cloudevents")) {
                event(args[1], sound, job[0], job[1]);
            } else {
                chunk(args[1], sound, job[0], job[1]);
            }
        }
        Package sdk = CloudEventSerializer.class.getPackage();
        System.out.println(args[0].equals("cloudevents") ? "4.0.1" : AppInfoParser.getVersion());
    }

    static void chunk(String bootstrap, byte[] sound, String codec, String key) throws Exception {
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "compression.type", codec);
        try (var producer = new KafkaProducer<>(config, new StringSerializer(), new ByteArraySerializer())) {
            var record = new ProducerRecord<>("audio.chunks", key, sound);
            record.headers().add("ce_id", (key + "/1").getBytes()).add("ce_time", "2026-11-28T10:00:00Z".getBytes());
            record.headers().add("content-type", "audio/wav".getBytes()).add("site", null);
            producer.send(record).get();
        }
    }

    static void event(String bootstrap, byte[] sound, String mode, String key) throws Exception {
        CloudEvent event = CloudEventBuilder.v1().withId(key + "/1").withSource(URI.create("/gateway")).withType("com.example.sound")
            .withSubject(key).withTime(OffsetDateTime.parse("2026-11-28T10:00:00Z")).withData("audio/wav", sound).build();
        Encoding encoding = mode.endsWith("structured") ? Encoding.STRUCTURED : Encoding.BINARY;
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap);
        var serializer = new CloudEventSerializer();
        serializer.configure(Map.of(CloudEventSerializer.ENCODING_CONFIG, encoding, CloudEventSerializer.EVENT_FORMAT_CONFIG, JsonFormat.CONTENT_TYPE), false);
        try (var producer = new KafkaProducer<>(config, new StringSerializer(), serializer)) {
            boolean hasKey = !mode.startsWith("default");
            producer.send(hasKey ? new ProducerRecord<>("audio.chunks", key, event) : new ProducerRecord<>("audio.chunks", event)).get();
        }
    }
}
