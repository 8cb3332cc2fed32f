package livemap.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.Arrays;
import livemap.aggregate.Labels;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A classification that changes while the job runs. */
class CatalogueTest {
    private static final long LOOK_EVERY = 10;

    @TempDir
    private Path dir;

    private static byte[] titled(String title) throws IOException {
        return ParquetRowsTest.file(ParquetRowsTest.SCHEMA, to -> to.row("p", title, "c", null));
    }

    private void replace(String name, byte[] file) throws IOException {
        Path aside = Files.write(dir.resolve(name + ".new"), file);
        Files.move(aside, dir.resolve(name), StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    private static void awaitTitle(Catalogue c, String title) {
        assertTimeoutPreemptively(Duration.ofSeconds(30), () -> {
            while (!Labels.at(c.current(), "p", 1).equals(title + " / c")) {
                Thread.sleep(LOOK_EVERY);
            }
        });
    }

    @Test
    void whatCannotBeUsedLeavesTheOldOneInForce() throws Exception {
        replace("a.parquet", titled("One"));
        try (Catalogue c = Catalogue.open(dir.toUri().toString(), LOOK_EVERY)) {
            awaitTitle(c, "One");
            byte[] two = titled("Two");
            for (byte[] bad : new byte[][] {Arrays.copyOf(two, two.length / 2), {}, "no Parquet".getBytes()}) {
                replace("a.parquet", bad);
                int refused = c.refused();
                assertTimeoutPreemptively(Duration.ofSeconds(30), () -> {
                    while (c.refused() == refused) {
                        Thread.sleep(LOOK_EVERY);
                    }
                });
                assertEquals("One / c", Labels.at(c.current(), "p", 1));
            }
            Files.delete(dir.resolve("a.parquet")); // vanished
            replace("b.parquet", two);
            awaitTitle(c, "Two");
            replace("c.parquet", titled("Of the last file")); // of a folder the later name counts
            awaitTitle(c, "Of the last file");
        }
    }

    @Test
    void theFirstOneMustBeThere() throws Exception {
        assertThrows(IOException.class, () -> Catalogue.open(dir.toUri().toString(), LOOK_EVERY));
        replace("a.parquet", new byte[9]);
        assertThrows(IOException.class, () -> Catalogue.open(dir.toUri().toString(), LOOK_EVERY));
        assertEquals("none", Labels.at(Catalogue.open("", LOOK_EVERY).current(), "p", 1));
    }
}
