package livemap.orders;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** The golden order, and the words for what is wrong. The parity suite has every kind of bad record. */
class OrderDecoderTest {
    @Test
    void readsTheGoldenOrder() throws Exception {
        Order o = OrderDecoder.decode(Files.readAllBytes(Path.of("../orders/testdata/order.json")));
        assertEquals("mi8x2k-3f", o.id);
        assertEquals("2026-11-27T00:00:00.123Z", Times.format(o.at));
        assertEquals("Montréal", o.from.city);
        assertEquals(-73.5878, o.from.lon);
        assertEquals(2, o.lines.length);
        assertEquals(1499, o.lines[1].amount);
        assertEquals(1240, o.massG);
    }

    private static Invalid refused(String json) {
        return assertThrows(Invalid.class, () -> OrderDecoder.decode(json.getBytes(StandardCharsets.UTF_8)));
    }

    @Test
    void saysWhatIsWrong() {
        assertEquals("order is invalid (malformed): byte 7: wants , or } after a value of an object", refused("{\"v\":1 ").getMessage());
        assertEquals(Invalid.VERSION, refused("{\"v\":2}").reason());
        assertEquals("order is invalid (field): id is missing", refused("{\"v\":1}").getMessage());
        assertEquals("order is invalid (field): lines[1].units is \"-1.5\", wants a whole number of at most 18 digits without fraction and exponent",
                refused("{\"v\":1,\"lines\":[{\"product\":\"a\",\"units\":1,\"amount\":1},{\"units\":-1.5}]}").getMessage());
        assertEquals(Invalid.MALFORMED, assertThrows(Invalid.class, () -> OrderDecoder.decode(null)).reason());
    }

    @Test
    void readsFractionsAsJavaDoes() {
        java.util.Random random = new java.util.Random(3);
        for (int i = 0; i < 200_000; i++) {
            String s = (random.nextBoolean() ? "-" : "") + random.nextLong(1L << random.nextInt(1, 63));
            s += switch (random.nextInt(4)) {
                case 0 -> "";
                case 1 -> "e" + (random.nextInt(40) - 20);
                default -> "." + "0".repeat(random.nextInt(4)) + random.nextLong(1L << random.nextInt(1, 63));
            };
            byte[] b = s.getBytes(StandardCharsets.UTF_8);
            assertEquals(Double.parseDouble(s), OrderDecoder.fraction(b, 0, b.length), s);
        }
        assertEquals(-0.0, OrderDecoder.fraction("-0.0".getBytes(StandardCharsets.UTF_8), 0, 4));
    }

    @Test
    void readsTimesOfRFC3339() {
        assertEquals(Times.parse("2026-01-04T22:30:00.250Z"), Times.parse("2026-01-05T00:00:00.2509+01:30"));
        assertEquals("0000-01-01T00:00:00.000Z", Times.format(Times.MIN));
        assertEquals("9999-12-31T23:59:59.999Z", Times.format(Times.MAX));
        for (String bad : new String[] {"", "2026-01-05", "2026-1-05T00:00:00Z", "2026-01-05T00:00:00.Z", "2026-01-05T00:00:00z", "2026-01-05T00:00:00+1:00"}) {
            assertEquals(Times.NONE, Times.parse(bad), bad);
        }
    }
}
