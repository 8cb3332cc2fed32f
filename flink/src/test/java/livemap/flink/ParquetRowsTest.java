package livemap.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Arrays;
import livemap.aggregate.Classification;
import livemap.aggregate.Labels;
import org.apache.parquet.conf.PlainParquetConfiguration;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.example.data.simple.SimpleGroupFactory;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.parquet.hadoop.example.ExampleParquetWriter;
import org.apache.parquet.io.OutputFile;
import org.apache.parquet.io.PositionOutputStream;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.MessageTypeParser;
import org.junit.jupiter.api.Test;

/** Classification files as they come, and as they should not. */
class ParquetRowsTest {
    static final MessageType SCHEMA = MessageTypeParser.parseMessageType("message c { optional binary product (STRING); "
            + "optional binary title (STRING); optional binary category (STRING); optional int64 valid_from (TIMESTAMP(MILLIS,true)); }");
    private static final long SECOND_YEAR = 1_700_000_000_000L;

    interface Fill {
        void row(String product, String title, String category, Long validFrom) throws IOException;
    }

    interface Rows {
        void write(Fill to) throws IOException;
    }

    static byte[] file(MessageType schema, Rows rows) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        SimpleGroupFactory groups = new SimpleGroupFactory(schema);
        try (ParquetWriter<Group> w = ExampleParquetWriter.builder(new Memory(bytes)).withConf(new PlainParquetConfiguration()).withType(schema).build()) {
            rows.write((product, title, category, validFrom) -> {
                Group g = groups.newGroup();
                Object[] values = {product, title, category, validFrom};
                for (int i = 0; i < schema.getFieldCount(); i++) {
                    if (values[i] instanceof String s) {
                        g.add(i, s);
                    } else if (values[i] instanceof Long n) {
                        g.add(i, (long) n);
                    }
                }
                w.write(g);
            });
        }
        return bytes.toByteArray();
    }

    private static Classification read(byte[] file) throws IOException {
        Classification.Builder to = new Classification.Builder();
        ParquetRows.read(file, 4_000_000, to);
        return to.build();
    }

    @Test
    void nullsAndDuplicates() throws Exception {
        Classification c = read(file(SCHEMA, to -> {
            to.row("p", "First", "A", null);
            to.row(null, "Nobody's", "A", null);
            to.row("", "Nobody's", "A", null);
            to.row("q", null, null, null);
            to.row("p", "Third", "C", SECOND_YEAR + 9);
            to.row("p", "Second\u0007", "B", SECOND_YEAR);
            to.row("p", "Last of the first", "A", null);
            to.row("p", "Last of the third", "C", SECOND_YEAR + 9);
            to.row("x".repeat(129), "Too long", "A", null);
            to.row("later", "Later", "A", SECOND_YEAR);
        }));
        assertEquals(3, c.size());
        assertEquals("Last of the first / A", Labels.at(c, "p", 1));
        assertEquals("Second  / B", Labels.at(c, "p", SECOND_YEAR + 8));
        assertEquals("Last of the third / C", Labels.at(c, "p", Long.MAX_VALUE));
        assertEquals("q / unclassified", Labels.at(c, "q", 1));
        assertEquals("none", Labels.at(c, "later", SECOND_YEAR - 1));
        assertEquals("none", Labels.at(c, "r", SECOND_YEAR));
    }

    @Test
    void aMillionCategories() throws Exception {
        int n = 1_000_000;
        Classification c = read(file(SCHEMA, to -> {
            for (int i = 0; i < n; i++) {
                to.row("product-" + i, "Title " + i, "category " + i, null);
            }
        }));
        assertEquals(n, c.size());
        for (int i = 0; i < n; i += 9973) {
            assertEquals("Title " + i + " / category " + i, Labels.at(c, "product-" + i, 0));
        }
    }

    @Test
    void whatIsNoClassificationIsRefused() throws Exception {
        byte[] good = file(SCHEMA, to -> to.row("p", "t", "c", null));
        for (byte[] bad : new byte[][] {{}, "not Parquet at all".getBytes(), Arrays.copyOf(good, good.length - 9), Arrays.copyOf(good, good.length / 2),
            file(SCHEMA, to -> {}), file(MessageTypeParser.parseMessageType("message c { required binary product (STRING); required binary title (STRING); }"),
                    to -> to.row("p", "t", null, null)),
            file(MessageTypeParser.parseMessageType("message c { required int64 product; required int64 title; required binary category; }"), to -> {})}) {
            assertThrows(Exception.class, () -> read(bad));
        }
        assertThrows(IOException.class, () -> ParquetRows.read(file(SCHEMA, to -> {
            to.row("p", "t", "c", null);
            to.row("q", "t", "c", null);
        }), 1, new Classification.Builder()));
    }

    /** What is written lies in memory. */
    private record Memory(ByteArrayOutputStream bytes) implements OutputFile {
        @Override
        public PositionOutputStream create(long blockSizeHint) {
            return new PositionOutputStream() {
                @Override
                public long getPos() {
                    return bytes.size();
                }

                @Override
                public void write(int b) {
                    bytes.write(b);
                }

                @Override
                public void write(byte[] b, int from, int n) {
                    bytes.write(b, from, n);
                }
            };
        }

        @Override
        public PositionOutputStream createOrOverwrite(long blockSizeHint) {
            return create(blockSizeHint);
        }

        @Override
        public boolean supportsBlockSize() {
            return false;
        }

        @Override
        public long defaultBlockSize() {
            return 0;
        }
    }
}
