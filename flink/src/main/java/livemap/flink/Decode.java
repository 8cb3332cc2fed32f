package livemap.flink;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Instant;
import livemap.aggregate.Entry;
import livemap.aggregate.Money;
import livemap.orders.Invalid;
import livemap.orders.Order;
import livemap.orders.OrderDecoder;
import livemap.orders.Times;
import org.apache.flink.table.functions.FunctionContext;
import org.apache.flink.table.functions.ScalarFunction;

/**
 * Turns a record of the topic orders into an entry, or into the reason why it is dead: all that can be said of
 * a record alone, and so in as many tasks as one likes. The result is a tag and either the entry or partition,
 * offset, reason and detail.
 */
public final class Decode extends ScalarFunction {
    static final byte ENTRY = 0;
    static final byte DEAD = 1;
    private static final long FIRST_TIME = 946_684_800_000L; // 2000-01-01
    private static final long FUTURE_SPAN = 60_000; // how far at may be after the record's Kafka timestamp

    private transient Money money;

    @Override
    public void open(FunctionContext context) throws Exception {
        money = JobSettings.of(context).money();
    }

    public byte[] eval(byte[] value, Integer partition, Long offset, Instant timestamp) {
        try {
            Order o = OrderDecoder.decode(value);
            if (o.at < FIRST_TIME || o.at > timestamp.toEpochMilli() + FUTURE_SPAN) {
                return dead(partition, offset, "time", "at is " + Times.format(o.at) + ", Kafka's timestamp " + Times.format(timestamp.toEpochMilli())
                        + "; allowed: from 2000 on and at most 60 s after Kafka's timestamp");
            }
            long sales = money.convert(o.amount, o.currency, o.at);
            if (sales == Money.NO_RATE) {
                return dead(partition, offset, "rate", "no exchange rate for " + o.currency + " on " + Times.format(o.at));
            }
            byte[] entry = Entry.of(o, partition, offset, sales).encode();
            byte[] tagged = new byte[entry.length + 1];
            System.arraycopy(entry, 0, tagged, 1, entry.length);
            tagged[0] = ENTRY;
            return tagged;
        } catch (Invalid e) {
            return dead(partition, offset, e.reason(), e.getMessage());
        }
    }

    private static byte[] dead(int partition, long offset, String reason, String detail) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(160);
        try (DataOutputStream out = new DataOutputStream(bytes)) {
            out.writeByte(DEAD);
            out.writeInt(partition);
            out.writeLong(offset);
            out.writeUTF(reason);
            out.writeUTF(detail);
        } catch (IOException e) {
            throw new UncheckedIOException(e); // not to memory
        }
        return bytes.toByteArray();
    }

    /** A dead record as eval wrote it. */
    record Dead(int partition, long offset, String reason, String detail) {
        static Dead read(byte[] b) {
            try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(b, 1, b.length - 1))) {
                return new Dead(in.readInt(), in.readLong(), in.readUTF(), in.readUTF());
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
