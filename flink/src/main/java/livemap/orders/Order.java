package livemap.orders;

/** One sale. Limits and meanings of the fields are those of docs/format/orders.md. */
public final class Order {
    public String id;
    public long at; // event time, milliseconds since 1970
    public String shop;
    public String shopper;
    public String currency;
    public long amount; // minor units of currency
    public Line[] lines;
    public Place from;
    public Place to;
    public long massG;

    /** One product of an order. */
    public static final class Line {
        public String product = "";
        public long units;
        public long amount;
    }

    /** One end of a shipment, in degrees. */
    public static final class Place {
        public String city = "";
        public String country = "";
        public double lat;
        public double lon;
    }
}
