package livemap.flink;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import livemap.aggregate.Classification;
import livemap.orders.Utf8;
import org.apache.parquet.ParquetReadOptions;
import org.apache.parquet.column.page.PageReadStore;
import org.apache.parquet.conf.PlainParquetConfiguration;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.example.data.simple.convert.GroupRecordConverter;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.io.ColumnIOFactory;
import org.apache.parquet.io.DelegatingSeekableInputStream;
import org.apache.parquet.io.InputFile;
import org.apache.parquet.io.MessageColumnIO;
import org.apache.parquet.io.RecordReader;
import org.apache.parquet.io.SeekableInputStream;
import org.apache.parquet.io.api.Binary;
import org.apache.parquet.schema.LogicalTypeAnnotation;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.PrimitiveType;
import org.apache.parquet.schema.PrimitiveType.PrimitiveTypeName;
import org.apache.parquet.schema.Type;

/** The rows of a classification file: what Go's package orders/classification reads, by the same rules. */
final class ParquetRows {
    private static final int MAX_PRODUCT_BYTES = 128;
    private static final int MAX_TITLE_BYTES = 256;
    private static final int MAX_CATEGORY_BYTES = 128;
    private static final long JULIAN_EPOCH_DAY = 2_440_588;

    private final Map<Binary, String> titles = new HashMap<>();
    private final Map<Binary, String> categories = new HashMap<>();

    private ParquetRows() {}

    /** Appends the rows of a file. Another schema, too many rows, none, or damage is an exception. */
    static void read(byte[] file, long maxRows, List<Classification.Row> rows) throws IOException {
        ParquetReadOptions options = ParquetReadOptions.builder(new PlainParquetConfiguration()).build();
        try (ParquetFileReader reader = ParquetFileReader.open(new Memory(file), options)) {
            MessageType all = reader.getFileMetaData().getSchema();
            if (reader.getRecordCount() == 0) {
                throw new IOException("file has no rows");
            }
            if (reader.getRecordCount() > maxRows) {
                throw new IOException("file has " + reader.getRecordCount() + " rows, at most " + maxRows + " are read");
            }
            MessageType wanted = choose(all);
            reader.setRequestedSchema(wanted);
            MessageColumnIO columns = new ColumnIOFactory().getColumnIO(wanted, all);
            ParquetRows texts = new ParquetRows();
            for (PageReadStore pages = reader.readNextRowGroup(); pages != null; pages = reader.readNextRowGroup()) {
                RecordReader<Group> records = columns.getRecordReader(pages, new GroupRecordConverter(wanted));
                for (long n = pages.getRowCount(); n > 0; n--) {
                    texts.add(records.read(), wanted, rows);
                }
            }
        }
    }

    private static MessageType choose(MessageType all) {
        Type product = column(all, "product", PrimitiveTypeName.BINARY, PrimitiveTypeName.INT64, PrimitiveTypeName.INT32);
        Type title = column(all, "title", PrimitiveTypeName.BINARY);
        Type category = column(all, "category", PrimitiveTypeName.BINARY);
        if (!all.containsField("valid_from")) {
            return new MessageType(all.getName(), product, title, category);
        }
        Type from = column(all, "valid_from", PrimitiveTypeName.INT64, PrimitiveTypeName.INT32, PrimitiveTypeName.INT96);
        if (from.asPrimitiveType().getPrimitiveTypeName() != PrimitiveTypeName.INT96 && millisPerUnit(from) == null) {
            throw new IllegalArgumentException("column valid_from is of type " + from + ", wants TIMESTAMP or DATE");
        }
        return new MessageType(all.getName(), product, title, category, from);
    }

    private static Type column(MessageType all, String name, PrimitiveTypeName... kinds) {
        if (!all.containsField(name)) {
            throw new IllegalArgumentException("no column " + name);
        }
        Type t = all.getType(name);
        if (!t.isPrimitive() || t.isRepetition(Type.Repetition.REPEATED)
                || !List.of(kinds).contains(t.asPrimitiveType().getPrimitiveTypeName())) {
            throw new IllegalArgumentException("column " + name + " is of type " + t + ", wants one of " + List.of(kinds));
        }
        return t;
    }

    private void add(Group row, MessageType schema, List<Classification.Row> rows) {
        String product = product(row, schema.getType(0).asPrimitiveType());
        if (product == null || product.isEmpty() || product.getBytes(StandardCharsets.UTF_8).length > MAX_PRODUCT_BYTES) {
            return;
        }
        long from = schema.getFieldCount() > 3 && row.getFieldRepetitionCount(3) > 0 ? time(row, schema.getType(3).asPrimitiveType()) : 0;
        rows.add(new Classification.Row(product, text(row, 1, MAX_TITLE_BYTES, titles), text(row, 2, MAX_CATEGORY_BYTES, categories), from));
    }

    private static String product(Group row, PrimitiveType type) {
        if (row.getFieldRepetitionCount(0) == 0) {
            return null;
        }
        return switch (type.getPrimitiveTypeName()) {
            case INT32 -> Integer.toString(row.getInteger(0, 0));
            case INT64 -> Long.toString(row.getLong(0, 0));
            default -> row.getBinary(0, 0).toStringUsingUTF8();
        };
    }

    /** Equal texts of one column are one string: categories are few, and many titles repeat. */
    private static String text(Group row, int column, int most, Map<Binary, String> known) {
        if (row.getFieldRepetitionCount(column) == 0) {
            return null;
        }
        return known.computeIfAbsent(row.getBinary(column, 0).copy(), raw -> {
            StringBuilder b = new StringBuilder(new String(raw.getBytes(), StandardCharsets.UTF_8));
            for (int i = 0; i < b.length(); i++) {
                if (Character.getType(b.charAt(i)) == Character.CONTROL) {
                    b.setCharAt(i, ' ');
                }
            }
            return Utf8.cut(b.toString(), most);
        });
    }

    /** Null where an integer is no time; negative: units in a millisecond. */
    private static Long millisPerUnit(Type t) {
        LogicalTypeAnnotation a = t.getLogicalTypeAnnotation();
        if (a instanceof LogicalTypeAnnotation.DateLogicalTypeAnnotation) {
            return 86_400_000L;
        }
        if (a instanceof LogicalTypeAnnotation.TimestampLogicalTypeAnnotation timestamp) {
            return switch (timestamp.getUnit()) {
                case MILLIS -> 1L;
                case MICROS -> -1000L;
                case NANOS -> -1_000_000L;
            };
        }
        return null;
    }

    private static long time(Group row, PrimitiveType type) {
        if (type.getPrimitiveTypeName() == PrimitiveTypeName.INT96) {
            ByteBuffer b = row.getInt96(3, 0).toByteBuffer().order(java.nio.ByteOrder.LITTLE_ENDIAN);
            long nanos = b.getLong();
            return (b.getInt() - JULIAN_EPOCH_DAY) * 86_400_000 + Math.floorDiv(nanos, 1_000_000L);
        }
        long value = type.getPrimitiveTypeName() == PrimitiveTypeName.INT32 ? row.getInteger(3, 0) : row.getLong(3, 0);
        long unit = millisPerUnit(type);
        return unit > 0 ? value * unit : Math.floorDiv(value, -unit);
    }

    /** A file in memory: what was read whole cannot change while it is looked at. */
    private record Memory(byte[] bytes) implements InputFile {
        @Override
        public long getLength() {
            return bytes.length;
        }

        @Override
        public SeekableInputStream newStream() {
            Bytes in = new Bytes(bytes);
            return new DelegatingSeekableInputStream(in) {
                @Override
                public long getPos() {
                    return in.position();
                }

                @Override
                public void seek(long to) {
                    in.seek(to);
                }
            };
        }
    }

    private static final class Bytes extends ByteArrayInputStream {
        Bytes(byte[] b) {
            super(b);
        }

        long position() {
            return pos;
        }

        void seek(long to) {
            pos = (int) Math.max(0, Math.min(to, count));
        }
    }
}
