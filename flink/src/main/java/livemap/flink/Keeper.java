package livemap.flink;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import livemap.aggregate.Aggregator;
import livemap.aggregate.Classification;
import livemap.aggregate.Entry;
import livemap.aggregate.Output;
import livemap.aggregate.Settings;
import livemap.aggregate.Verdict;
import livemap.orders.Bytes;
import livemap.orders.Interner;
import org.apache.flink.table.api.dataview.ListView;
import org.apache.flink.table.api.dataview.MapView;

/**
 * Keeps an aggregator in Flink's state: a snapshot, and the journal of all that was handed to it since. After a
 * restart the journal is played again, and as the same calls give the same outputs, those are dropped: they
 * went out before.
 *
 * <p>A process table function reads and writes a state entry at every row, and a value is compared, which is to
 * say serialized, each time: an aggregator of some megabytes cannot be one. Appending to a list costs nothing,
 * and a checkpoint then writes the snapshot and at most as much of a journal.
 */
final class Keeper {
    private static final byte TICK = 2;
    private static final int CHUNK_BYTES = 256 << 10; // G1 keeps arrays of half a region and more apart, and clears them away late
    private static final int MIN_JOURNAL_BYTES = 4 << 20;
    private static final int COUNT_KEY = -1;

    private final Settings settings;
    private Aggregator aggregator;
    private long[] next = new long[0]; // by partition: offset after the last record, 0: none seen
    private long journalBytes;
    private long snapshotBytes;
    private final Interner texts = new Interner(16);

    Keeper(Settings settings) {
        this.settings = settings;
    }

    /** Restores what state holds. Nothing must have been handed in before. */
    void restore(ListView<byte[]> journal, MapView<Integer, byte[]> snapshot, Classification classification) throws Exception {
        byte[] count = snapshot.get(COUNT_KEY);
        if (count == null) {
            aggregator = new Aggregator(settings);
            snapshot(journal, snapshot); // it says which settings the journal belongs to
        } else {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            for (int i = 0; i < Integer.parseInt(new String(count, java.nio.charset.StandardCharsets.US_ASCII)); i++) {
                byte[] chunk = snapshot.get(i);
                bytes.writeBytes(chunk == null ? new byte[0] : chunk);
            }
            snapshotBytes = bytes.size();
            try {
                read(bytes.toByteArray());
            } catch (EOFException e) {
                throw new IOException("state is not whole: start the job from an older checkpoint or savepoint, or without one to begin all figures anew", e);
            }
        }
        aggregator.classify(classification);
        for (byte[] item : journal.get()) {
            journalBytes += item.length;
            play(item);
        }
    }

    private void read(byte[] bytes) throws IOException {
        DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes));
        next = new long[in.readInt()];
        for (int i = 0; i < next.length; i++) {
            next[i] = in.readLong();
        }
        aggregator = Aggregator.read(settings, in);
    }

    private void play(byte[] item) throws IOException {
        ByteBuffer in = ByteBuffer.wrap(item);
        if (item[0] == TICK) {
            in.get();
            long now = in.getLong();
            boolean[] caughtUp = new boolean[in.remaining()];
            for (int i = 0; i < caughtUp.length; i++) {
                caughtUp[i] = in.get() == 1;
            }
            aggregator.tick(now, caughtUp);
            return;
        }
        while (in.hasRemaining()) {
            next(in);
        }
    }

    /** Begins a batch, as Decode wrote it. Its records are then taken one by one with next. */
    ByteBuffer batch(byte[] entries, ListView<byte[]> journal) throws Exception {
        journal(journal, entries);
        return ByteBuffer.wrap(entries);
    }

    /** Takes the next record of a batch; null if it is a dead one. */
    Verdict next(ByteBuffer in) {
        if (in.get() == Decode.DEAD) {
            pass(in.getInt(), in.getLong());
            return null;
        }
        Entry e = Entry.decode(in, texts);
        pass(e.partition, e.offset);
        return aggregator.add(e);
    }

    private void pass(int partition, long offset) {
        if (partition >= next.length) {
            next = Arrays.copyOf(next, partition + 1);
        }
        next[partition] = Math.max(next[partition], offset + 1);
    }

    /** By partition: the offset after the last record that was handed in, 0 if there was none. */
    long[] next() {
        return next;
    }

    Aggregator aggregator() {
        return aggregator;
    }

    List<Output> tick(long now, boolean[] caughtUp, Classification classification, ListView<byte[]> journal, MapView<Integer, byte[]> snapshot) throws Exception {
        aggregator.classify(classification);
        Bytes tick = new Bytes(16 + caughtUp.length).writeByte(TICK).writeLong(now);
        for (boolean c : caughtUp) {
            tick.writeByte(c ? 1 : 0);
        }
        journal(journal, tick.toArray());
        List<Output> records = aggregator.tick(now, caughtUp);
        if (journalBytes >= Math.max(MIN_JOURNAL_BYTES, snapshotBytes)) {
            snapshot(journal, snapshot);
        }
        return records;
    }

    private void journal(ListView<byte[]> journal, byte[] item) throws Exception {
        journal.add(item);
        journalBytes += item.length;
    }

    private void snapshot(ListView<byte[]> journal, MapView<Integer, byte[]> snapshot) throws Exception {
        snapshot.clear();
        Chunks chunks = new Chunks(snapshot);
        DataOutputStream out = new DataOutputStream(chunks);
        out.writeInt(next.length);
        for (long n : next) {
            out.writeLong(n);
        }
        aggregator.write(out);
        snapshotBytes = out.size();
        snapshot.put(COUNT_KEY, Integer.toString(chunks.end()).getBytes(java.nio.charset.StandardCharsets.US_ASCII));
        journal.clear();
        journalBytes = 0;
    }

    /** Puts what is written into a map, piece by piece. */
    private static final class Chunks extends OutputStream {
        private final MapView<Integer, byte[]> to;
        private byte[] chunk = new byte[CHUNK_BYTES];
        private int used;
        private int count;

        Chunks(MapView<Integer, byte[]> to) {
            this.to = to;
        }

        @Override
        public void write(int b) throws IOException {
            chunk[used++] = (byte) b;
            passOn();
        }

        @Override
        public void write(byte[] b, int from, int n) throws IOException {
            while (n > 0) {
                int taken = Math.min(n, CHUNK_BYTES - used);
                System.arraycopy(b, from, chunk, used, taken);
                used += taken;
                from += taken;
                n -= taken;
                passOn();
            }
        }

        private void passOn() throws IOException {
            if (used == CHUNK_BYTES) {
                put(chunk);
                chunk = new byte[CHUNK_BYTES];
                used = 0;
            }
        }

        private void put(byte[] b) throws IOException {
            try {
                to.put(count++, b);
            } catch (Exception e) {
                throw new IOException(e);
            }
        }

        /** Puts the rest and returns how many pieces there are. */
        int end() throws IOException {
            put(Arrays.copyOf(chunk, used));
            return count;
        }
    }
}
