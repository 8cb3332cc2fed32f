package livemap.aggregate;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/** The figures that add up over panes. */
class Sums {
    long orders;
    long sales;
    long distanceM;
    long carbonG;

    final void add(Sums o) {
        orders += o.orders;
        sales += o.sales;
        distanceM += o.distanceM;
        carbonG += o.carbonG;
    }

    final void sub(Sums o) {
        orders -= o.orders;
        sales -= o.sales;
        distanceM -= o.distanceM;
        carbonG -= o.carbonG;
    }

    final void set(Sums o) {
        orders = o.orders;
        sales = o.sales;
        distanceM = o.distanceM;
        carbonG = o.carbonG;
    }

    final boolean same(Sums o) {
        return orders == o.orders && sales == o.sales && distanceM == o.distanceM && carbonG == o.carbonG;
    }

    void write(DataOutput out) throws IOException {
        out.writeLong(orders);
        out.writeLong(sales);
        out.writeLong(distanceM);
        out.writeLong(carbonG);
    }

    void read(DataInput in) throws IOException {
        orders = in.readLong();
        sales = in.readLong();
        distanceM = in.readLong();
        carbonG = in.readLong();
    }

    /** What a window holds of one scope. */
    static final class Figures extends Sums {
        long shoppers;

        void set(Figures o) {
            super.set(o);
            shoppers = o.shoppers;
        }

        boolean same(Figures o) {
            return super.same(o) && shoppers == o.shoppers;
        }

        @Override
        void write(DataOutput out) throws IOException {
            super.write(out);
            out.writeLong(shoppers);
        }

        @Override
        void read(DataInput in) throws IOException {
            super.read(in);
            shoppers = in.readLong();
        }
    }
}
