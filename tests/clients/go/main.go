// Go's clients. usage: send CLIENT BOOTSTRAP FILE JOB...; a job is CODEC:KEY, for cloudevents MODE:KEY. Prints the client's version.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/IBM/sarama"
	"github.com/cloudevents/sdk-go/protocol/kafka_sarama/v2"
	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"
)

var moduleOf = map[string]string{
	"franz-go": "github.com/twmb/franz-go", "sarama": "github.com/IBM/sarama", "kafka-go": "github.com/segmentio/kafka-go",
	"cloudevents": "github.com/cloudevents/sdk-go/protocol/kafka_sarama/v2",
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	client, bootstrap, ctx := os.Args[1], os.Args[2], context.Background()
	sound, err := os.ReadFile(os.Args[3])
	must(err)
	for _, job := range os.Args[4:] {
		codec, key, _ := strings.Cut(job, ":")
		headers := [][2]string{{"ce_id", key + "/1"}, {"ce_time", "2026-11-28T10:00:00Z"}, {"content-type", "audio/wav"}}
		switch client {
		case "franz-go":
			codecs := map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
				"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}
			producer, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ProducerBatchCompression(codecs[codec]))
			must(err)
			record := &kgo.Record{Topic: "audio.chunks", Key: []byte(key), Value: sound}
			for _, header := range headers {
				record.Headers = append(record.Headers, kgo.RecordHeader{Key: header[0], Value: []byte(header[1])})
			}
			record.Headers = append(record.Headers, kgo.RecordHeader{Key: "site"})
			must(producer.ProduceSync(ctx, record).FirstErr())
			producer.Close()
		case "sarama":
			codecs := map[string]sarama.CompressionCodec{"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP,
				"snappy": sarama.CompressionSnappy, "lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD}
			config := sarama.NewConfig()
			config.Producer.Compression = codecs[codec]
			config.Producer.Return.Successes = true
			producer, err := sarama.NewSyncProducer([]string{bootstrap}, config)
			must(err)
			message := &sarama.ProducerMessage{Topic: "audio.chunks", Key: sarama.StringEncoder(key), Value: sarama.ByteEncoder(sound)}
			for _, header := range headers {
				message.Headers = append(message.Headers, sarama.RecordHeader{Key: []byte(header[0]), Value: []byte(header[1])})
			}
			message.Headers = append(message.Headers, sarama.RecordHeader{Key: []byte("site")})
			_, _, err = producer.SendMessage(message)
			must(err)
			must(producer.Close())
		case "kafka-go":
			codecs := map[string]kafka.Compression{"none": 0, "gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd}
			writer := &kafka.Writer{Addr: kafka.TCP(bootstrap), Topic: "audio.chunks", Compression: codecs[codec], BatchTimeout: time.Millisecond}
			message := kafka.Message{Key: []byte(key), Value: sound}
			for _, header := range headers {
				message.Headers = append(message.Headers, kafka.Header{Key: header[0], Value: []byte(header[1])})
			}
			message.Headers = append(message.Headers, kafka.Header{Key: "site"})
			must(writer.WriteMessages(ctx, message))
			must(writer.Close())
		case "cloudevents":
			config := sarama.NewConfig()
			config.Producer.Return.Successes = true
			sender, err := kafka_sarama.NewSender([]string{bootstrap}, config, "audio.chunks")
			must(err)
			event := cloudevents.NewEvent()
			event.SetID(key + "/1")
			event.SetSource("/gateway")
			event.SetType("com.example.sound")
			event.SetSubject(key)
			event.SetTime(time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC))
			must(event.SetData("audio/wav", sound))
			sending := ctx
			if strings.HasSuffix(codec, "structured") {
				sending = binding.WithForceStructured(sending)
			}
			if !strings.HasPrefix(codec, "default") {
				sending = kafka_sarama.WithMessageKey(sending, sarama.StringEncoder(key))
			}
			must(sender.Send(sending, binding.ToMessage(&event)))
			must(sender.Close(ctx))
		default:
			log.Fatal("no such client")
		}
	}
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == moduleOf[client] {
			fmt.Println(strings.TrimPrefix(module.Version, "v"))
		}
	}
}
