package livemap.aggregate;

import java.math.BigInteger;
import livemap.orders.GoNumbers;
import livemap.orders.Order;

/**
 * Distance and carbon of one order. Sine, cosine and arc sine are Go's, operation by operation (after Cephes,
 * Moshier), because a distance that lies on the border between two metres would otherwise be rounded one way
 * here and the other way there.
 */
public final class Geo {
    private static final double EARTH_RADIUS_M = 6_371_008.8;
    /** Grams of CO2 per tonne-kilometre of road freight, as docs/format/metrics.md says. */
    private static final long CARBON_GRAMS_PER_TONNE_KM = 62;
    private static final long GRAM_METRES = 1_000_000_000;

    private static final double PI4A = 7.85398125648498535156e-1;
    private static final double PI4B = 3.77489470793079817668e-8;
    private static final double PI4C = 2.69515142907905952645e-15;

    private Geo() {}

    /** Metres by the haversine formula, rounded half away from zero. */
    public static long distance(Order.Place from, Order.Place to) {
        double radians = Math.PI / 180;
        double lat1 = from.lat * radians, lat2 = to.lat * radians;
        double sinLat = sin((lat2 - lat1) / 2);
        double sinLon = sin((to.lon - from.lon) * radians / 2);
        double h = sinLat * sinLat + cos(lat1) * cos(lat2) * sinLon * sinLon;
        return (long) GoNumbers.round(2 * EARTH_RADIUS_M * asin(Math.sqrt(Math.min(h, 1))));
    }

    /** Grams of CO2, rounded half up. */
    public static long carbon(long massG, long distanceM) {
        long factor = massG * CARBON_GRAMS_PER_TONNE_KM;
        if (Math.multiplyHigh(factor, distanceM) == 0 && factor * distanceM >= 0 && factor * distanceM < Long.MAX_VALUE - GRAM_METRES) {
            return (factor * distanceM + GRAM_METRES / 2) / GRAM_METRES;
        }
        return BigInteger.valueOf(factor).multiply(BigInteger.valueOf(distanceM)).add(BigInteger.valueOf(GRAM_METRES / 2))
                .divide(BigInteger.valueOf(GRAM_METRES)).min(BigInteger.valueOf(Long.MAX_VALUE)).longValueExact();
    }

    static double sin(double x) {
        if (x == 0) {
            return x;
        }
        boolean negative = x < 0;
        x = Math.abs(x);
        long j = (long) (x * (4 / Math.PI));
        double y = j;
        if ((j & 1) == 1) {
            j++;
            y++;
        }
        j &= 7;
        double z = ((x - y * PI4A) - y * PI4B) - y * PI4C;
        if (j > 3) {
            negative = !negative;
            j -= 4;
        }
        double r = j == 1 || j == 2 ? cosine(z) : sine(z);
        return negative ? -r : r;
    }

    static double cos(double x) {
        boolean negative = false;
        x = Math.abs(x);
        long j = (long) (x * (4 / Math.PI));
        double y = j;
        if ((j & 1) == 1) {
            j++;
            y++;
        }
        j &= 7;
        double z = ((x - y * PI4A) - y * PI4B) - y * PI4C;
        if (j > 3) {
            j -= 4;
            negative = true;
        }
        if (j > 1) {
            negative = !negative;
        }
        double r = j == 1 || j == 2 ? sine(z) : cosine(z);
        return negative ? -r : r;
    }

    private static double sine(double z) {
        double zz = z * z;
        return z + z * zz * ((((((1.58962301576546568060e-10 * zz) + -2.50507477628578072866e-8) * zz + 2.75573136213857245213e-6) * zz
                + -1.98412698295895385996e-4) * zz + 8.33333333332211858878e-3) * zz + -1.66666666666666307295e-1);
    }

    private static double cosine(double z) {
        double zz = z * z;
        return 1.0 - 0.5 * zz + zz * zz * ((((((-1.13585365213876817300e-11 * zz) + 2.08757008419747316778e-9) * zz + -2.75573141792967388112e-7) * zz
                + 2.48015872888517045348e-5) * zz + -1.38888888888730564116e-3) * zz + 4.16666666666665929218e-2);
    }

    /** Of 0 to 1. */
    static double asin(double x) {
        if (x == 0) {
            return x;
        }
        double t = Math.sqrt(1 - x * x);
        return x > 0.7 ? Math.PI / 2 - satan(t / x) : satan(x / t);
    }

    private static double satan(double x) {
        double tan3Pi8 = 2.41421356237309504880, moreBits = 6.123233995736765886130e-17;
        if (x <= 0.66) {
            return xatan(x);
        }
        if (x > tan3Pi8) {
            return Math.PI / 2 - xatan(1 / x) + moreBits;
        }
        return Math.PI / 4 + xatan((x - 1) / (x + 1)) + 0.5 * moreBits;
    }

    private static double xatan(double x) {
        double z = x * x;
        z = z * ((((-8.750608600031904122785e-01 * z + -1.615753718733365076637e+01) * z + -7.500855792314704667340e+01) * z
                + -1.228866684490136173410e+02) * z + -6.485021904942025371773e+01)
                / (((((z + 2.485846490142306297962e+01) * z + 1.650270098316988542046e+02) * z + 4.328810604912902668951e+02) * z
                + 4.853903996359136964868e+02) * z + 1.945506571482613964425e+02);
        return x * z + x;
    }
}
