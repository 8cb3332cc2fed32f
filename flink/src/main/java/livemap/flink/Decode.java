package livemap.flink;

import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import livemap.aggregate.Entry;
import livemap.aggregate.Money;
import livemap.orders.Bytes;
import livemap.orders.Interner;
import livemap.orders.Invalid;
import livemap.orders.Order;
import livemap.orders.OrderDecoder;
import livemap.orders.Times;
import livemap.orders.Utf8;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.table.data.ArrayData;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.MapData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.logical.VarBinaryType;

/**
 * Turns records of the topic orders into entries, or into what is kept of dead ones: all that can be said of a
 * record alone, and so in as many tasks as one likes. What it hands on are batches, because passing a row from
 * task to task costs more than an order does. A batch goes out when it is large enough, after a moment, and
 * before a checkpoint, so that nothing lies here that a checkpoint would have to hold.
 *
 * <p>A batch is two texts of bytes. The first has for each record a tag and the entry, or of a dead one its
 * partition and offset; it is all that the figures need. The second has the records themselves (see Kept).
 */
final class Decode extends AbstractStreamOperator<RowData> implements OneInputStreamOperator<RowData, RowData> {
    private static final long serialVersionUID = 1;

    static final byte ENTRY = 0;
    static final byte DEAD = 1;
    private static final long FIRST_TIME = 946_684_800_000L; // 2000-01-01
    private static final long FUTURE_SPAN = 60_000; // how far at may be after the record's Kafka timestamp
    private static final int MAX_DETAIL_BYTES = 512;

    private static final int BATCH_BYTES = 128 << 10; // from here on a batch goes out
    private static final long BATCH_MILLIS = 20; // and after so long

    private final HashMap<String, String> parameters; // of JobSettings
    private transient Money money;
    private transient Interner names;
    private transient Bytes entries;
    private transient Bytes records;
    private transient boolean waiting; // for the moment to end

    Decode(JobSettings settings) {
        parameters = new HashMap<>(settings.asJobParameters());
    }

    static TypeInformation<RowData> type() {
        return InternalTypeInfo.ofFields(new VarBinaryType(VarBinaryType.MAX_LENGTH), new VarBinaryType(VarBinaryType.MAX_LENGTH));
    }

    @Override
    public void open() throws Exception {
        super.open();
        try {
            money = JobSettings.of(parameters).money();
        } catch (IOException e) {
            throw new org.apache.flink.runtime.execution.SuppressRestartsException(e);
        }
        names = new Interner(12);
        entries = new Bytes(BATCH_BYTES);
        records = new Bytes(2 * BATCH_BYTES);
    }

    /** Takes a row of k, v, part, pos, ts, h: see job.sql. */
    @Override
    public void processElement(StreamRecord<RowData> element) {
        RowData row = element.getValue();
        byte[] key = row.isNullAt(0) ? null : row.getBinary(0), value = row.isNullAt(1) ? null : row.getBinary(1);
        decode(key, value, row.getInt(2), row.getLong(3), row.getTimestamp(4, 3).getMillisecond(), row.isNullAt(5) ? Map.of() : headers(row.getMap(5)));
        if (entries.size() + records.size() >= BATCH_BYTES) {
            flush();
        } else if (!waiting) {
            waiting = true;
            getProcessingTimeService().registerTimer(getProcessingTimeService().getCurrentProcessingTime() + BATCH_MILLIS, at -> {
                waiting = false;
                flush();
            });
        }
    }

    private static Map<String, byte[]> headers(MapData map) {
        if (map.size() == 0) {
            return Map.of();
        }
        Map<String, byte[]> headers = new HashMap<>();
        ArrayData names = map.keyArray(), values = map.valueArray();
        for (int i = 0; i < map.size(); i++) {
            headers.put(names.getString(i).toString(), values.isNullAt(i) ? null : values.getBinary(i));
        }
        return headers;
    }

    private void decode(byte[] key, byte[] value, int partition, long offset, long timestamp, Map<String, byte[]> headers) {
        String reason, detail;
        try {
            Order o = OrderDecoder.decode(value, names);
            boolean inTime = o.at >= FIRST_TIME && o.at <= timestamp + FUTURE_SPAN;
            long sales = inTime ? money.convert(o.amount, o.currency, o.at) : 0;
            if (!inTime) {
                reason = "time";
                detail = "at is " + Times.format(o.at) + ", Kafka's timestamp " + Times.format(timestamp)
                        + "; allowed: from 2000 on and at most 60 s after Kafka's timestamp";
            } else if (sales == Money.NO_RATE) {
                reason = "rate";
                detail = "no exchange rate for " + o.currency + " on " + Times.format(o.at);
            } else {
                entries.writeByte(ENTRY);
                Entry.of(o, partition, offset, sales).encode(entries);
                Kept.writeOrder(records, timestamp, key, value, headers);
                return;
            }
        } catch (Invalid e) {
            reason = e.reason();
            detail = e.getMessage();
        }
        entries.writeByte(DEAD).writeInt(partition).writeLong(offset);
        Map<String, byte[]> why = new HashMap<>();
        why.put("reason", Kept.utf8(reason));
        why.put("detail", Kept.utf8(Utf8.cut(detail, MAX_DETAIL_BYTES)));
        why.put("topic", Kept.utf8("orders"));
        why.put("partition", Kept.utf8(Integer.toString(partition)));
        why.put("offset", Kept.utf8(Long.toString(offset)));
        Kept.writeDead(records, timestamp, key, value, why);
    }

    private void flush() {
        if (entries.size() > 0) {
            output.collect(new StreamRecord<>(GenericRowData.of(entries.toArray(), records.toArray())));
            entries.truncate(0);
            records.truncate(0);
        }
    }

    @Override
    public void prepareSnapshotPreBarrier(long checkpoint) throws Exception {
        super.prepareSnapshotPreBarrier(checkpoint);
        flush();
    }

    @Override
    public void finish() throws Exception {
        flush();
        super.finish();
    }
}
