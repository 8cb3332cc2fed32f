package livemap.aggregate;

import java.nio.ByteBuffer;
import livemap.orders.Bytes;
import livemap.orders.GoNumbers;
import livemap.orders.Interner;
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

    /** Writes the entry. */
    public void encode(Bytes out) {
        out.writeInt(partition).writeLong(offset).writeLong(at).writeLong(idHash).writeLong(shopperHash).writeShort(country);
        out.writeLong(sales).writeLong(distanceM).writeLong(carbonG).writeLong(arc).writeLong(amount);
        out.writeText(currency).writeText(fromCity).writeText(toCity);
        out.writeShort(products.length);
        for (int i = 0; i < products.length; i++) {
            out.writeText(products[i]).writeInt((int) units[i]);
        }
    }

    /** Reads what encode wrote. */
    public static Entry decode(ByteBuffer in, Interner texts) {
        Entry e = new Entry();
        e.partition = in.getInt();
        e.offset = in.getLong();
        e.at = in.getLong();
        e.idHash = in.getLong();
        e.shopperHash = in.getLong();
        e.country = in.getShort();
        e.sales = in.getLong();
        e.distanceM = in.getLong();
        e.carbonG = in.getLong();
        e.arc = in.getLong();
        e.amount = in.getLong();
        e.currency = text(in, texts);
        e.fromCity = text(in, texts);
        e.toCity = text(in, texts);
        e.products = new String[in.getShort()];
        e.units = new long[e.products.length];
        for (int i = 0; i < e.products.length; i++) {
            e.products[i] = text(in, texts);
            e.units[i] = in.getInt();
        }
        return e;
    }

    private static String text(ByteBuffer in, Interner texts) {
        int n = Short.toUnsignedInt(in.getShort()), from = in.position();
        in.position(from + n);
        return texts.text(in.array(), in.arrayOffset() + from, in.arrayOffset() + from + n);
    }
}
