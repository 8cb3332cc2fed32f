package livemap.flink;

import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import livemap.orders.Bytes;
import org.apache.flink.types.Row;

/**
 * A record of the topic orders on its way to orders.late or orders.dead: its key, value, time and headers, as
 * bytes, because the task that decides about it mostly drops them. Of a header name the last counts.
 */
final class Kept {
    private static final int MAX_DEAD_BYTES = 64 << 10; // of a dead record's value, and of its key
    private static final int MAX_LATE_BYTES = 64 << 10; // of a late record's key, and of all its headers

    private Kept() {}

    /** Writes an order that may prove late: as it was, but for what of its key and headers is too large. */
    static void writeOrder(Bytes out, long time, byte[] key, byte[] value, Map<String, byte[]> headers) {
        Map<String, byte[]> kept = headers;
        int room = MAX_LATE_BYTES;
        for (Map.Entry<String, byte[]> h : headers.entrySet()) {
            room -= h.getKey().length() + (h.getValue() == null ? 0 : h.getValue().length);
        }
        if (room < 0) {
            kept = new HashMap<>();
            room = MAX_LATE_BYTES;
            for (Map.Entry<String, byte[]> h : headers.entrySet()) {
                room -= h.getKey().length() + (h.getValue() == null ? 0 : h.getValue().length);
                if (room < 0) {
                    break;
                }
                kept.put(h.getKey(), h.getValue());
            }
        }
        write(out, time, cut(key, MAX_LATE_BYTES), value, kept);
    }

    /** Writes a dead record, as Go's kafka.DeadRecord keeps it. */
    static void writeDead(Bytes out, long time, byte[] key, byte[] value, Map<String, byte[]> headers) {
        if (value != null && value.length > MAX_DEAD_BYTES) {
            headers.put("truncated", utf8("true"));
        }
        write(out, time, cut(key, MAX_DEAD_BYTES), cut(value, MAX_DEAD_BYTES), headers);
    }

    private static byte[] cut(byte[] b, int most) {
        return b == null || b.length <= most ? b : Arrays.copyOf(b, most);
    }

    private static void write(Bytes out, long time, byte[] key, byte[] value, Map<String, byte[]> headers) {
        int at = out.size();
        out.writeInt(0).writeLong(time).writeOptional(key).writeOptional(value).writeInt(headers.size());
        headers.forEach((name, v) -> out.writeOptional(utf8(name)).writeOptional(v));
        out.setInt(at, out.size() - at - Integer.BYTES);
    }

    /** Passes over a record. */
    static void skip(ByteBuffer in) {
        int n = in.getInt();
        in.position(in.position() + n);
    }

    /** Reads a record as a row for a topic. */
    static Row read(ByteBuffer in, String topic) {
        in.getInt();
        Instant time = Instant.ofEpochMilli(in.getLong());
        byte[] key = optional(in), value = optional(in);
        Map<String, byte[]> headers = new HashMap<>();
        for (int n = in.getInt(); n > 0; n--) {
            String name = new String(optional(in), java.nio.charset.StandardCharsets.UTF_8);
            headers.put(name, optional(in));
        }
        return Row.of(topic, key, value, time, headers);
    }

    private static byte[] optional(ByteBuffer in) {
        int n = in.getInt();
        if (n < 0) {
            return null;
        }
        byte[] b = new byte[n];
        in.get(b);
        return b;
    }

    static byte[] utf8(String s) {
        return s.getBytes(java.nio.charset.StandardCharsets.UTF_8);
    }
}
