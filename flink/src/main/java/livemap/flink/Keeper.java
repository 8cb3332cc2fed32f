package livemap.flink;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import livemap.aggregate.Aggregator;
import livemap.aggregate.Classification;
import livemap.aggregate.Entry;
import livemap.aggregate.Output;
import livemap.aggregate.Settings;
import livemap.aggregate.Verdict;
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
    private static final byte PASSED = 3; // a record that was dead: only its offset matters
    private static final int CHUNK_BYTES = 1 << 20;
    private static final int MIN_JOURNAL_BYTES = 4 << 20;
    private static final int COUNT_KEY = -1;

    private final Settings settings;
    private Aggregator aggregator;
    private long[] next = new long[0]; // by partition: offset after the last record, 0: none seen
    private long journalBytes;
    private long snapshotBytes;

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
                bytes.writeBytes(snapshot.get(i));
            }
            snapshotBytes = bytes.size();
            read(bytes.toByteArray());
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
        switch (item[0]) {
            case Decode.ENTRY -> apply(Entry.decode(item, 1));
            case PASSED -> {
                DataInputStream in = new DataInputStream(new ByteArrayInputStream(item, 1, item.length - 1));
                pass(in.readInt(), in.readLong());
            }
            default -> {
                DataInputStream in = new DataInputStream(new ByteArrayInputStream(item, 1, item.length - 1));
                long now = in.readLong();
                boolean[] caughtUp = new boolean[in.readInt()];
                for (int i = 0; i < caughtUp.length; i++) {
                    caughtUp[i] = in.readBoolean();
                }
                aggregator.tick(now, caughtUp);
            }
        }
    }

    /** Hands in an order, as Decode wrote it. */
    Verdict order(byte[] tagged, ListView<byte[]> journal) throws Exception {
        journal(journal, tagged);
        return apply(Entry.decode(tagged, 1));
    }

    private Verdict apply(Entry e) {
        pass(e.partition, e.offset);
        return aggregator.add(e);
    }

    /** Notes that a dead record has been dealt with. */
    void dead(int partition, long offset, ListView<byte[]> journal) throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(13);
        DataOutputStream out = new DataOutputStream(bytes);
        out.writeByte(PASSED);
        out.writeInt(partition);
        out.writeLong(offset);
        journal(journal, bytes.toByteArray());
        pass(partition, offset);
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
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(16 + caughtUp.length);
        DataOutputStream out = new DataOutputStream(bytes);
        out.writeByte(TICK);
        out.writeLong(now);
        out.writeInt(caughtUp.length);
        for (boolean c : caughtUp) {
            out.writeBoolean(c);
        }
        journal(journal, bytes.toByteArray());
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
        ByteArrayOutputStream bytes = new ByteArrayOutputStream((int) Math.min(snapshotBytes * 5 / 4 + 4096, 1 << 30));
        DataOutputStream out = new DataOutputStream(bytes);
        out.writeInt(next.length);
        for (long n : next) {
            out.writeLong(n);
        }
        aggregator.write(out);
        byte[] all = bytes.toByteArray();
        snapshot.clear();
        int chunks = 0;
        for (int from = 0; from < all.length; from += CHUNK_BYTES) {
            snapshot.put(chunks++, Arrays.copyOfRange(all, from, Math.min(all.length, from + CHUNK_BYTES)));
        }
        snapshot.put(COUNT_KEY, Integer.toString(chunks).getBytes(java.nio.charset.StandardCharsets.US_ASCII));
        journal.clear();
        journalBytes = 0;
        snapshotBytes = all.length;
    }
}
