package livemap.flink;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import livemap.aggregate.Classification;
import org.apache.flink.core.fs.FSDataInputStream;
import org.apache.flink.core.fs.FileStatus;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.fs.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The classification of products: a Parquet file or a folder of them, on any file system that Flink has, read
 * again by a thread of its own when it changes. Files that cannot be used leave the classification in force
 * as it is, and so do files that change while they are read.
 */
final class Catalogue implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Catalogue.class);
    /** How often files are looked at, in milliseconds. */
    static final long LOOK_EVERY = 2000;
    private static final int MAX_FILES = 1000;
    private static final int MAX_ROWS = 4_000_000;
    private static final long MAX_FILE_BYTES = 1 << 30;

    private final Path path; // null: no classification
    private final Thread thread;
    private String version = ""; // of the files in force or refused: names, sizes, times
    private volatile Classification current = Classification.NONE;
    private volatile int refused; // states of the files that could not be used
    private volatile boolean closed;

    private final long lookEvery;

    private Catalogue(String address, long lookEvery) {
        this.lookEvery = lookEvery;
        path = address.isEmpty() ? null : new Path(address);
        thread = new Thread(this::run, "livemap-classification");
        thread.setDaemon(true);
        thread.setContextClassLoader(Catalogue.class.getClassLoader());
    }

    /** Reads the classification for the first time, which must succeed, and begins to watch it. */
    static Catalogue open(String address, long lookEvery) throws IOException {
        Catalogue c = new Catalogue(address, lookEvery);
        if (c.path != null) {
            List<FileStatus> files = c.files();
            try {
                c.current = c.read(files);
            } catch (IOException | RuntimeException e) {
                throw new IOException("classification " + address + " cannot be used: " + e.getMessage(), e);
            }
            c.version = describe(files);
            c.thread.start();
        }
        return c;
    }

    Classification current() {
        return current;
    }

    /** How often files had changed and could not be used. */
    int refused() {
        return refused;
    }

    @Override
    public void close() throws InterruptedException {
        closed = true;
        thread.interrupt();
        thread.join(JobSettings.patience().toMillis());
    }

    private void run() {
        while (!closed) {
            try {
                Thread.sleep(lookEvery);
                refresh();
            } catch (InterruptedException e) {
                return;
            }
        }
    }

    private void refresh() {
        String seen = "";
        try {
            List<FileStatus> files = files();
            seen = describe(files);
            if (seen.equals(version)) {
                return;
            }
            Classification next = read(files);
            current = next;
            LOG.info("classification taken over from {}: {} products", path, next.size());
        } catch (IOException | RuntimeException e) {
            if (!seen.equals(version)) { // say it once for each state of the files
                refused++;
                LOG.warn("classification {} cannot be used; the one before stays in force: {}", path, e.getMessage());
            }
        }
        version = seen;
    }

    private List<FileStatus> files() throws IOException {
        FileSystem fs = path.getFileSystem();
        FileStatus status = fs.getFileStatus(path);
        List<FileStatus> files = new ArrayList<>(List.of(status));
        if (status.isDir()) {
            files = new ArrayList<>(Arrays.asList(fs.listStatus(path)));
            files.removeIf(f -> f.isDir() || !f.getPath().getName().endsWith(".parquet"));
            files.sort(Comparator.comparing(f -> f.getPath().getName()));
        }
        if (files.isEmpty() || files.size() > MAX_FILES) {
            throw new IOException(files.size() + " files named *.parquet; allowed: 1 to " + MAX_FILES);
        }
        return files;
    }

    private static String describe(List<FileStatus> files) {
        StringBuilder b = new StringBuilder();
        for (FileStatus f : files) {
            b.append(f.getPath()).append(' ').append(f.getLen()).append(' ').append(f.getModificationTime()).append('\n');
        }
        return b.toString();
    }

    /** Reads files in the order of their names; where two classify the same product from the same time, the later counts. */
    private Classification read(List<FileStatus> files) throws IOException {
        Classification.Builder rows = new Classification.Builder();
        long read = 0;
        for (FileStatus f : files) {
            if (f.getLen() > MAX_FILE_BYTES) {
                throw new IOException(f.getPath() + " has " + f.getLen() + " bytes, at most " + MAX_FILE_BYTES + " are read");
            }
            byte[] bytes;
            try (FSDataInputStream in = path.getFileSystem().open(f.getPath())) {
                bytes = in.readAllBytes();
            }
            try {
                read += ParquetRows.read(bytes, MAX_ROWS - read, rows);
            } catch (RuntimeException e) {
                throw new IOException(f.getPath() + ": " + e.getMessage(), e);
            }
        }
        if (!describe(files()).equals(describe(files))) {
            throw new IOException("files changed while they were read");
        }
        return rows.build();
    }
}
