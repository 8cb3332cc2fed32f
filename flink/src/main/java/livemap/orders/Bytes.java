package livemap.orders;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Bytes that grow as they are written, big-endian. For one thread. */
public final class Bytes {
    private static final VarHandle INT = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.BIG_ENDIAN);
    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

    private byte[] b;
    private int size;

    public Bytes(int room) {
        b = new byte[room];
    }

    public int size() {
        return size;
    }

    public byte[] toArray() {
        return Arrays.copyOf(b, size);
    }

    /** Forgets what was written after the first size bytes. */
    public void truncate(int size) {
        this.size = Math.min(this.size, size);
    }

    private int room(int n) {
        if (size + n > b.length) {
            b = Arrays.copyOf(b, Math.max(size + n, 2 * b.length));
        }
        size += n;
        return size - n;
    }

    public Bytes writeByte(int v) {
        int at = room(1);
        b[at] = (byte) v;
        return this;
    }

    public Bytes writeShort(int v) {
        return writeByte(v >> 8).writeByte(v);
    }

    public Bytes writeInt(int v) {
        int at = room(4);
        INT.set(b, at, v);
        return this;
    }

    /** Writes over an int that was written before. */
    public void setInt(int at, int v) {
        INT.set(b, at, v);
    }

    public Bytes writeLong(long v) {
        int at = room(8);
        LONG.set(b, at, v);
        return this;
    }

    public Bytes write(byte[] from) {
        int at = room(from.length);
        System.arraycopy(from, 0, b, at, from.length);
        return this;
    }

    /** Writes the length as an int, -1 for null, and the bytes. */
    public Bytes writeOptional(byte[] from) {
        return from == null ? writeInt(-1) : writeInt(from.length).write(from);
    }

    /** Writes a text of at most 65,535 bytes in UTF-8, its length before it. */
    public Bytes writeText(String s) {
        byte[] utf8 = s.getBytes(StandardCharsets.UTF_8);
        return writeShort(utf8.length).write(utf8);
    }
}
