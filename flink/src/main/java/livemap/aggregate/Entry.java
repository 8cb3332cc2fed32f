package livemap.aggregate;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import livemap.orders.GoNumbers;
import livemap.orders.Order;

/**
 * What the aggregation needs of an order, and nothing more: it travels from the tasks that decode to the one
 * that adds up, and lies in the journal until the next snapshot.
 */
public final class Entry {
    private static final int CELLS_PER_DEGREE = 2;

    public int partition;
    public long offset;
    public long at;
    long idHash;
    long shopperHash;
    short country; // two letters, the first in the high byte
    long sales; // minor units of the figures' currency
    long distanceM;
    long carbonG;
    long arc; // see arcOf
    String currency;
    long amount;
    String fromCity;
    String toCity;
    String[] products;
    long[] units;

    /** Makes an entry of a decoded order whose sales have been converted. */
    public static Entry of(Order o, int partition, long offset, long sales) {
        Entry e = new Entry();
        e.partition = partition;
        e.offset = offset;
        e.at = o.at;
        e.idHash = XxHash.of(o.id);
        e.shopperHash = XxHash.of(o.shopper);
        e.country = (short) (o.to.country.charAt(0) << 8 | o.to.country.charAt(1));
        e.sales = sales;
        e.distanceM = Geo.distance(o.from, o.to);
        e.carbonG = Geo.carbon(o.massG, e.distanceM);
        e.arc = arcOf(o.from, o.to);
        e.currency = o.currency;
        e.amount = o.amount;
        e.fromCity = o.from.city;
        e.toCity = o.to.city;
        e.products = new String[o.lines.length];
        e.units = new long[o.lines.length];
        for (int i = 0; i < o.lines.length; i++) {
            e.products[i] = o.lines[i].product;
            e.units[i] = o.lines[i].units;
        }
        return e;
    }

    /** Packs origin and destination, each in cells of half a degree, so that packed values sort as the four numbers do. */
    private static long arcOf(Order.Place from, Order.Place to) {
        return cell(from.lat) << 48 | cell(from.lon) << 32 | cell(to.lat) << 16 | cell(to.lon);
    }

    private static long cell(double degrees) {
        return (long) GoNumbers.round(degrees * CELLS_PER_DEGREE) + 0x4000;
    }

    /** Degrees of the n-th (0 to 3) number of a packed arc. */
    static double degrees(long arc, int n) {
        return (double) ((arc >>> 48 - 16 * n & 0xFFFF) - 0x4000) / CELLS_PER_DEGREE;
    }

    public byte[] encode() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(192);
        try {
            DataOutputStream out = new DataOutputStream(bytes);
            out.writeInt(partition);
            for (long v : new long[] {offset, at, idHash, shopperHash}) {
                out.writeLong(v);
            }
            out.writeShort(country);
            for (long v : new long[] {sales, distanceM, carbonG, arc, amount}) {
                out.writeLong(v);
            }
            out.writeUTF(currency);
            out.writeUTF(fromCity);
            out.writeUTF(toCity);
            out.writeShort(products.length);
            for (int i = 0; i < products.length; i++) {
                out.writeUTF(products[i]);
                out.writeInt((int) units[i]);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e); // not from memory
        }
        return bytes.toByteArray();
    }

    public static Entry decode(byte[] b, int from) {
        try {
            DataInputStream in = new DataInputStream(new ByteArrayInputStream(b, from, b.length - from));
            Entry e = new Entry();
            e.partition = in.readInt();
            e.offset = in.readLong();
            e.at = in.readLong();
            e.idHash = in.readLong();
            e.shopperHash = in.readLong();
            e.country = in.readShort();
            e.sales = in.readLong();
            e.distanceM = in.readLong();
            e.carbonG = in.readLong();
            e.arc = in.readLong();
            e.amount = in.readLong();
            e.currency = in.readUTF();
            e.fromCity = in.readUTF();
            e.toCity = in.readUTF();
            e.products = new String[in.readUnsignedShort()];
            e.units = new long[e.products.length];
            for (int i = 0; i < e.products.length; i++) {
                e.products[i] = in.readUTF();
                e.units[i] = in.readInt();
            }
            return e;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
