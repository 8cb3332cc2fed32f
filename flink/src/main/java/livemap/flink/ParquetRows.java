package livemap.flink;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import livemap.aggregate.Classification;
import livemap.orders.Interner;
import livemap.orders.Utf8;
import org.apache.parquet.ParquetReadOptions;
import org.apache.parquet.column.ColumnDescriptor;
import org.apache.parquet.column.ColumnReader;
import org.apache.parquet.column.impl.ColumnReadStoreImpl;
import org.apache.parquet.column.page.PageReadStore;
import org.apache.parquet.conf.PlainParquetConfiguration;
import org.apache.parquet.example.data.simple.convert.GroupRecordConverter;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.io.DelegatingSeekableInputStream;
import org.apache.parquet.io.InputFile;
import org.apache.parquet.io.SeekableInputStream;
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

    private final Interner titles = new Interner(12);
    private final Interner categories = new Interner(12);

    private ParquetRows() {}

    /** Adds the rows of a file and returns how many there are. Another schema, too many rows, none, or damage is an exception. */
    static long read(byte[] file, long maxRows, Classification.Builder to) throws IOException {
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
            ParquetRows texts = new ParquetRows();
            String writer = reader.getFileMetaData().getCreatedBy();
            for (PageReadStore pages = reader.readNextRowGroup(); pages != null; pages = reader.readNextRowGroup()) {
                ColumnReadStoreImpl store = new ColumnReadStoreImpl(pages, new GroupRecordConverter(wanted).getRootConverter(), wanted, writer);
                List<Column> columns = new ArrayList<>();
                for (ColumnDescriptor d : wanted.getColumns()) {
                    columns.add(new Column(store.getColumnReader(d), d));
                }
                for (long n = pages.getRowCount(); n > 0; n--) {
                    texts.add(columns, to);
                }
            }
            return reader.getRecordCount();
        }
    }

    /** A column that is read value by value, without an object for each row. */
    private record Column(ColumnReader reader, ColumnDescriptor descriptor) {
        boolean isNull() {
            return reader.getCurrentDefinitionLevel() < descriptor.getMaxDefinitionLevel();
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

    private void add(List<Column> columns, Classification.Builder to) {
        String product = product(columns.get(0));
        String title = text(columns.get(1), MAX_TITLE_BYTES, titles), category = text(columns.get(2), MAX_CATEGORY_BYTES, categories);
        long from = columns.size() > 3 && !columns.get(3).isNull() ? time(columns.get(3)) : 0;
        columns.forEach(c -> c.reader().consume());
        if (product != null && (product.length() * 3 <= MAX_PRODUCT_BYTES || product.getBytes(StandardCharsets.UTF_8).length <= MAX_PRODUCT_BYTES)) {
            to.add(product, title, category, from);
        }
    }

    private static String product(Column c) {
        if (c.isNull()) {
            return null;
        }
        return switch (c.descriptor().getPrimitiveType().getPrimitiveTypeName()) {
            case INT32 -> Integer.toString(c.reader().getInteger());
            case INT64 -> Long.toString(c.reader().getLong());
            default -> c.reader().getBinary().toStringUsingUTF8();
        };
    }

    private static String text(Column c, int most, Interner known) {
        if (c.isNull()) {
            return null;
        }
        byte[] raw = c.reader().getBinary().getBytesUnsafe();
        String s = known.text(raw, 0, raw.length);
        for (int i = 0; i < s.length(); i++) {
            if (Character.getType(s.charAt(i)) == Character.CONTROL) {
                return Utf8.cut(spaced(s), most);
            }
        }
        return Utf8.cut(s, most);
    }

    private static String spaced(String s) {
        StringBuilder b = new StringBuilder(s);
        for (int i = 0; i < b.length(); i++) {
            if (Character.getType(b.charAt(i)) == Character.CONTROL) {
                b.setCharAt(i, ' ');
            }
        }
        return b.toString();
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

    private static long time(Column c) {
        PrimitiveType type = c.descriptor().getPrimitiveType();
        if (type.getPrimitiveTypeName() == PrimitiveTypeName.INT96) {
            ByteBuffer b = c.reader().getBinary().toByteBuffer().order(java.nio.ByteOrder.LITTLE_ENDIAN);
            long nanos = b.getLong();
            return (b.getInt() - JULIAN_EPOCH_DAY) * 86_400_000 + Math.floorDiv(nanos, 1_000_000L);
        }
        long value = type.getPrimitiveTypeName() == PrimitiveTypeName.INT32 ? c.reader().getInteger() : c.reader().getLong();
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
