package livemap.aggregate;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Random;
import org.junit.jupiter.api.Test;

/** Bits that Go's package math gives (go run on amd64), and agreement with Java's own where bits may differ. */
class GeoTest {
    @Test
    void isGoBitForBit() {
        assertEquals(0x3fb98eaecb8bcb2cL, Double.doubleToRawLongBits(Geo.sin(0.1)));
        assertEquals(0x3fefd712f9a817c0L, Double.doubleToRawLongBits(Geo.cos(0.1)));
        assertEquals(0xbfe49d6e694619b8L, Double.doubleToRawLongBits(Geo.sin(-0.7)));
        assertEquals(0x3fe87996529f9d92L, Double.doubleToRawLongBits(Geo.cos(-0.7)));
        assertEquals(0x3fedd343a21a55c5L, Double.doubleToRawLongBits(Geo.sin(1.2)));
        assertEquals(0x3fd730de943b79d4L, Double.doubleToRawLongBits(Geo.cos(1.2)));
        assertEquals(0x3fe326af0dcfcab0L, Double.doubleToRawLongBits(Geo.sin(2.5)));
        assertEquals(0xbfe9a2f7ef858b7dL, Double.doubleToRawLongBits(Geo.cos(2.5)));
        assertEquals(0xbfa54a0f8298102eL, Double.doubleToRawLongBits(Geo.sin(-3.1)));
        assertEquals(0xbfeff8ea4756a624L, Double.doubleToRawLongBits(Geo.cos(-3.1)));
        assertEquals(0x3f894886e168ffbaL, Double.doubleToRawLongBits(Geo.sin(0.0123456789)));
        assertEquals(0x3fefff602eb7de5eL, Double.doubleToRawLongBits(Geo.cos(0.0123456789)));
        assertEquals(0x3e112e0be826d695L, Double.doubleToRawLongBits(Geo.sin(1e-09)));
        assertEquals(0x3ff0000000000000L, Double.doubleToRawLongBits(Geo.cos(1e-09)));
        assertEquals(0x3fb9a49276037884L, Double.doubleToRawLongBits(Geo.asin(0.1)));
        assertEquals(0x3fe0c152382d7366L, Double.doubleToRawLongBits(Geo.asin(0.5)));
        assertEquals(0x3fe85e1e4a3a04f1L, Double.doubleToRawLongBits(Geo.asin(0.69)));
        assertEquals(0x3fe94391bfac8e4bL, Double.doubleToRawLongBits(Geo.asin(0.71)));
        assertEquals(0x3ff40d41159f3409L, Double.doubleToRawLongBits(Geo.asin(0.95)));
        assertEquals(0x3ff921fb54442d18L, Double.doubleToRawLongBits(Geo.asin(1)));
        assertEquals(0x3e45798ee2308c3bL, Double.doubleToRawLongBits(Geo.asin(1e-08)));
    }

    @Test
    void isNearJava() {
        Random random = new Random(3);
        for (int i = 0; i < 100_000; i++) {
            double x = random.nextDouble() * 8 - 4, y = random.nextDouble();
            assertEquals(StrictMath.sin(x), Geo.sin(x), 1e-15);
            assertEquals(StrictMath.cos(x), Geo.cos(x), 1e-15);
            assertEquals(StrictMath.asin(y), Geo.asin(y), 1e-14);
        }
    }

    @Test
    void carbonIsRoundedHalfUp() {
        assertEquals(1, Geo.carbon(1, 8_064_517));
        assertEquals(0, Geo.carbon(1, 8_064_516));
        assertEquals(1_240_000_000L, Geo.carbon(1_000_000_000, 20_000_000));
    }

    @Test
    void hashesAsXXH64() {
        assertEquals(0xEF46DB3751D8E999L, XxHash.of(""));
        assertEquals(0x44BC2CF5AD770999L, XxHash.of("abc"));
        assertEquals(0x3a8518215ae9547L, XxHash.of("ab".repeat(3)));
        assertEquals(0xd09c7b5f8b3b25a1L, XxHash.of("ab".repeat(9)));
        assertEquals(0x66106fd82f046b59L, XxHash.of("ab".repeat(31)));
        assertEquals(0xc16611390181d05fL, XxHash.of("ab".repeat(32)));
        assertEquals(0x27b44f754ce8afc6L, XxHash.of("ab".repeat(33)));
        assertEquals(0x7240e8f8080b4d63L, XxHash.of("ab".repeat(100)));
    }
}
