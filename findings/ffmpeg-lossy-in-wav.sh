#!/usr/bin/env bash
# ffmpeg writes AAC and Vorbis into WAV without a complaint, and cannot read either back; of Vorbis it says that it did.
#
# The guess, written down before running: `ffmpeg -i IN.wav -c:a aac OUT.wav` either refuses (WAV has no place for the
# decoder's configuration and packet sizes of these codecs) or writes what it can read again. Decoding OUT.wav with the
# same ffmpeg gives about as much sound as went in, or a failure.
#
# What happens: writing ends with status 0 and no line on standard error, for both. Reading Vorbis ends with status 0 and
# 256 of 32,000 samples; reading AAC fails (ffmpeg 5.1.9 ends with status 0 there, too, and a quarter of a second of a
# tone). MP3 in WAV comes back whole.
#
# Whom it hurts: recorders whose codec and file ending are two settings (`-c:a aac` to save space, `.wav` because the next
# tool wants it). The recordings are there, have a plausible size, and cannot be brought back by the tool that wrote them.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet imageio-ffmpeg==0.6.0
ffmpeg=$(venv/bin/python -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')
"$ffmpeg" -version | head -1
# Noise with a tone, so that no packet is empty.
"$ffmpeg" -v error -y -f lavfi -i 'anoisesrc=amplitude=0.3:sample_rate=16000:duration=2:seed=1' -c:a pcm_s16le in.wav
changed=0
for codec in libmp3lame aac libvorbis; do
    written=0
    "$ffmpeg" -v error -y -i in.wav -c:a $codec $codec.wav 2>write.txt || written=$?
    read=0
    "$ffmpeg" -v error -y -i $codec.wav -c:a pcm_s16le back.wav 2>read.txt || read=$?
    bytes=$(stat -c %s $codec.wav)
    samples=$(venv/bin/python -c 'import wave; print(wave.open("back.wav").getnframes())')
    echo "$codec in WAV: $bytes bytes, written with status $written, read with status $read: $samples of 32000 samples, $(wc -l <read.txt) lines of errors"
    case $codec in
        libmp3lame) [ "$samples" -ge 32000 ] || changed=1 ;;
        libvorbis) { [ $written = 0 ] && [ ! -s write.txt ] && [ $read = 0 ] && [ "$samples" -lt 16000 ]; } || changed=1 ;;
        aac) { [ $written = 0 ] && [ ! -s write.txt ] && [ "$samples" -lt 16000 ]; } || changed=1 ;;
    esac
    rm -f back.wav
done
if [ $changed = 1 ]; then
    echo "the behaviour has changed"
    exit 1
fi
