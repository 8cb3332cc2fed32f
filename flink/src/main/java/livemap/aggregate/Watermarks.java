package livemap.aggregate;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * Follows the partitions and derives the watermark: the lowest partition's highest time less the disorder. A
 * partition leaves the minimum only while it is caught up and has been silent; when all are out, the watermark
 * goes on from the highest with elapsed time. It is not Flink's watermark, which knows neither of these rules
 * and is not kept in checkpoints.
 */
final class Watermarks {
    /** One partition of the topic. */
    static final class Partition {
        long highest = Times.NONE;
        final Seen seen = new Seen();
        boolean caughtUp;
        boolean idle;
        long lastActive = Times.NONE; // wall clock
    }

    private final long disorder;
    private final long idleAfter;
    final List<Partition> parts = new ArrayList<>();
    long now = Times.NONE; // the watermark; never goes back
    private int lowest = -1; // the partition that determines it, -1: find it
    private boolean allIdle;
    private long idleSince; // wall clock at which all were
    private long idleStart; // the watermark at that moment

    Watermarks(long disorder, long idleAfter) {
        this.disorder = disorder;
        this.idleAfter = idleAfter;
    }

    void grow(int n) {
        while (parts.size() < n) {
            parts.add(new Partition());
            lowest = -1;
            allIdle = false;
        }
    }

    private long of(Partition p) {
        return p.highest == Times.NONE ? Times.NONE : p.highest - disorder;
    }

    /** Notes an order; at is Times.NONE for a duplicate, which moves nothing. */
    void record(int index, long at, long wall) {
        Partition p = parts.get(index);
        p.lastActive = wall;
        if (p.idle) {
            p.idle = false;
            allIdle = false;
            lowest = -1;
        }
        if (at > p.highest) {
            p.highest = at;
            if (lowest == index) {
                lowest = -1;
            }
        }
        advance();
    }

    void caughtUp(int index, boolean caughtUp, long wall) {
        Partition p = parts.get(index);
        p.caughtUp = caughtUp;
        if (p.lastActive == Times.NONE) {
            p.lastActive = wall;
        }
        if (!caughtUp && p.idle) {
            p.idle = false;
            allIdle = false;
            lowest = -1;
        }
    }

    /** Applies the idle rule at the given wall clock. */
    void tick(long wall) {
        boolean all = !parts.isEmpty();
        long highest = Times.NONE;
        for (Partition p : parts) {
            boolean idle = p.caughtUp && p.lastActive != Times.NONE && wall - p.lastActive >= idleAfter;
            if (idle != p.idle) {
                p.idle = idle;
                lowest = -1;
            }
            all &= idle;
            highest = Math.max(highest, of(p));
        }
        if (all && !allIdle) {
            idleSince = wall;
            idleStart = highest;
        }
        allIdle = all;
        if (all && idleStart != Times.NONE) {
            now = Math.max(now, idleStart + Math.max(wall - idleSince, 0));
        }
        advance();
    }

    private void advance() {
        if (lowest >= 0 || allIdle) {
            return;
        }
        for (int i = 0; i < parts.size(); i++) {
            Partition p = parts.get(i);
            if (!p.idle && (lowest < 0 || p.highest < parts.get(lowest).highest)) {
                lowest = i;
            }
        }
        if (lowest >= 0) {
            now = Math.max(now, of(parts.get(lowest)));
        }
    }

    void write(DataOutput out) throws IOException {
        out.writeLong(now);
        out.writeBoolean(allIdle);
        out.writeLong(idleSince);
        out.writeLong(idleStart);
        out.writeInt(parts.size());
        for (Partition p : parts) {
            out.writeLong(p.highest);
            out.writeBoolean(p.caughtUp);
            out.writeBoolean(p.idle);
            out.writeLong(p.lastActive);
            p.seen.write(out);
        }
    }

    void read(DataInput in) throws IOException {
        now = in.readLong();
        boolean all = in.readBoolean();
        idleSince = in.readLong();
        idleStart = in.readLong();
        for (int n = in.readInt(); n > 0; n--) {
            Partition p = new Partition();
            p.highest = in.readLong();
            p.caughtUp = in.readBoolean();
            p.idle = in.readBoolean();
            p.lastActive = in.readLong();
            p.seen.read(in);
            parts.add(p);
        }
        allIdle = all;
    }
}
