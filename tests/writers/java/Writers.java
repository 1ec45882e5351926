import java.io.ByteArrayInputStream;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.sound.sampled.AudioFileFormat;
import javax.sound.sampled.AudioFormat;
import javax.sound.sampled.AudioInputStream;
import javax.sound.sampled.AudioSystem;

/** Writes the clip with Java's own library: FORMAT MODE RAW OUT CHANNELS. */
public class Writers {
    public static void main(String[] arguments) throws Exception {
        byte[] bytes = Files.readAllBytes(Path.of(arguments[2]));
        int channels = Integer.parseInt(arguments[4]);
        AudioFormat format = new AudioFormat(16000, 16, channels, true, false);
        long frames = bytes.length / format.getFrameSize();
        AudioInputStream stream = new AudioInputStream(new ByteArrayInputStream(bytes), format, frames);
        if (arguments[1].equals("pipe")) {
            AudioSystem.write(stream, AudioFileFormat.Type.WAVE, System.out);
            System.out.flush();
        } else {
            AudioSystem.write(stream, AudioFileFormat.Type.WAVE, new File(arguments[3]));
        }
    }
}
