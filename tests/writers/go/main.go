// Writes the clip with Go's WAV libraries: FORMAT MODE RAW OUT CHANNELS.
package main

import (
	"encoding/binary"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/go-audio/audio"
	"github.com/go-audio/wav"
)

const rate, block = 16000, 1600

func main() {
	kind, mode, raw, out := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	channels, _ := strconv.Atoi(os.Args[5])
	bytes, err := os.ReadFile(raw)
	if err != nil {
		panic(err)
	}
	bits := 16
	if strings.HasSuffix(kind, "24") {
		bits = 24
	}
	samples := make([]int, len(bytes)/2)
	for index := range samples {
		samples[index] = int(int16(binary.LittleEndian.Uint16(bytes[2*index:]))) << (bits - 16)
	}
	file, err := os.Create(out)
	if err != nil {
		panic(err)
	}
	encoder := wav.NewEncoder(file, rate, bits, channels, 1)
	for at := 0; at < len(samples); at += block {
		end := min(at+block, len(samples))
		buffer := &audio.IntBuffer{
			Data:           samples[at:end],
			Format:         &audio.Format{NumChannels: channels, SampleRate: rate},
			SourceBitDepth: bits,
		}
		if err := encoder.Write(buffer); err != nil {
			panic(err)
		}
		if mode == "killed" && at > len(samples)*2/3 {
			syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
		}
	}
	if err := encoder.Close(); err != nil {
		panic(err)
	}
}
