// The official SDK for Java and its transfer manager against the gateway, with the settings a new user has. Two runs
// with a kill of the gateway between them: `begin FILE` sends every second part of an upload and leaves its id in
// FILE, `resume FILE` asks ListParts what is there and sends the rest. Prints a line a check (Test Anything Protocol).

import static java.nio.charset.StandardCharsets.UTF_8;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Executors;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import software.amazon.awssdk.core.async.AsyncRequestBody;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3AsyncClient;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.S3Configuration;
import software.amazon.awssdk.services.s3.model.BucketVersioningStatus;
import software.amazon.awssdk.services.s3.model.ChecksumAlgorithm;
import software.amazon.awssdk.services.s3.model.ChecksumMode;
import software.amazon.awssdk.services.s3.model.CompleteMultipartUploadRequest;
import software.amazon.awssdk.services.s3.model.CompletedPart;
import software.amazon.awssdk.services.s3.model.ObjectVersion;
import software.amazon.awssdk.services.s3.model.PutObjectRequest;
import software.amazon.awssdk.services.s3.model.PutObjectResponse;
import software.amazon.awssdk.services.s3.model.S3Exception;
import software.amazon.awssdk.services.s3.model.Tag;
import software.amazon.awssdk.services.s3.presigner.S3Presigner;
import software.amazon.awssdk.transfer.s3.S3TransferManager;

public class Checks {
    static final int PART_LEN = 5 << 20;
    static final String BUCKET = "compat";
    // Region, endpoint and keys are in the environment.
    static final S3Client client = S3Client.builder().forcePathStyle(true).build();
    // The same bytes in both runs, so that the second can tell whether the first one's arrived.
    static final byte[] large = content();

    interface Check {
        void run() throws Exception;
    }

    public static void main(String[] arguments) throws Exception {
        Path state = Path.of(arguments[1]);
        if (arguments[0].equals("begin")) {
            check("makes a bucket", () -> {
                client.createBucket(request -> request.bucket(BUCKET));
                client.headBucket(request -> request.bucket(BUCKET));
            });
            check("the transfer manager uploads in parts with checksums and downloads", Checks::transferManager);
            check("presigned URLs upload and download", Checks::presigned);
            check("keeps versions", Checks::versions);
            check("keeps tags", Checks::tags);
            check("honours conditional writes", Checks::conditionalWrites);
            check("begins an upload and sends every second part", () -> begin(state));
        } else {
            check("an upload goes on after kill -9 of the gateway", () -> resume(state));
        }
        System.exit(0); // whatever threads a client has left
    }

    static void check(String name, Check check) {
        try {
            check.run();
            System.out.println("ok " + name);
        } catch (Throwable error) {
            System.out.println("not ok " + name);
            System.out.println("# " + error);
            Arrays.stream(error.getStackTrace()).limit(10).forEach(line -> System.out.println("# " + line));
        }
    }

    static byte[] content() {
        String mib = System.getenv().getOrDefault("COMPAT_MIB", "256");
        byte[] bytes = new byte[(Math.max(16, Integer.parseInt(mib)) << 20) + 12345];
        new Random(7).nextBytes(bytes);
        return bytes;
    }

    static void expect(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    static void refused(String code, int status, Check check) throws Exception {
        try {
            check.run();
        } catch (S3Exception error) {
            String found = error.awsErrorDetails().errorCode() + " " + error.statusCode();
            expect(found.equals(code + " " + status), found + ", not " + code + " " + status);
            return;
        }
        throw new AssertionError(code + " was wanted, and it succeeded");
    }

    static PutObjectResponse put(String key, String body, Consumer<PutObjectRequest.Builder> more) {
        PutObjectRequest.Builder request = PutObjectRequest.builder().bucket(BUCKET).key(key);
        more.accept(request);
        return client.putObject(request.build(), RequestBody.fromString(body));
    }

    static PutObjectResponse put(String key, String body) {
        return put(key, body, request -> {});
    }

    /** What is stored, of one version if that is given. */
    static byte[] stored(String key, String version) {
        return client.getObjectAsBytes(request -> request.bucket(BUCKET).key(key).versionId(version)).asByteArray();
    }

    static void transferManager() throws Exception {
        Path file = Files.createTempFile("large", null);
        Path back = Files.createTempFile("back", null);
        Files.write(file, large);
        try (S3AsyncClient async = S3AsyncClient.builder().forcePathStyle(true).multipartEnabled(true).build();
                S3TransferManager manager = S3TransferManager.builder().s3Client(async).build()) {
            // A file, and a stream whose length nobody knows.
            manager.uploadFile(upload -> upload.source(file)
                            .putObjectRequest(request -> request.bucket(BUCKET).key("transferred")))
                    .completionFuture().join();
            AsyncRequestBody stream = AsyncRequestBody.fromInputStream(
                    Files.newInputStream(file), null, Executors.newSingleThreadExecutor());
            manager.upload(upload -> upload.requestBody(stream)
                            .putObjectRequest(request -> request.bucket(BUCKET).key("streamed")))
                    .completionFuture().join();
            for (String key : List.of("transferred", "streamed")) {
                var head = client.headObject(
                        request -> request.bucket(BUCKET).key(key).checksumMode(ChecksumMode.ENABLED));
                expect(head.contentLength() == large.length, key + " has another length");
                expect(head.checksumCRC32() != null, key + " has no CRC32");
                manager.downloadFile(download -> download.destination(back)
                                .getObjectRequest(request -> request.bucket(BUCKET).key(key)))
                        .completionFuture().join();
                expect(Files.mismatch(file, back) == -1, "the download of " + key + " differs");
            }
        } finally {
            Files.delete(file);
            Files.delete(back);
        }
    }

    static void presigned() throws Exception {
        HttpClient http = HttpClient.newHttpClient();
        URI endpoint = URI.create(System.getenv("AWS_ENDPOINT_URL"));
        S3Configuration pathStyle = S3Configuration.builder().pathStyleAccessEnabled(true).build();
        try (S3Presigner signer = S3Presigner.builder().endpointOverride(endpoint).serviceConfiguration(pathStyle).build()) {
            URI upload = signer.presignPutObject(presign -> presign.signatureDuration(Duration.ofMinutes(1))
                    .putObjectRequest(request -> request.bucket(BUCKET).key("signed by url"))).url().toURI();
            var sent = http.send(
                    HttpRequest.newBuilder(upload).PUT(HttpRequest.BodyPublishers.ofString("from a url")).build(),
                    HttpResponse.BodyHandlers.ofString());
            expect(sent.statusCode() == 200, sent + " " + sent.body());
            URI download = signer.presignGetObject(presign -> presign.signatureDuration(Duration.ofMinutes(1))
                    .getObjectRequest(request -> request.bucket(BUCKET).key("signed by url"))).url().toURI();
            var found = http.send(HttpRequest.newBuilder(download).build(), HttpResponse.BodyHandlers.ofString());
            expect(found.body().equals("from a url"), found + " " + found.body());
        }
    }

    static void versions() throws Exception {
        client.putBucketVersioning(request -> request.bucket(BUCKET)
                .versioningConfiguration(versioning -> versioning.status(BucketVersioningStatus.ENABLED)));
        String first = put("versioned", "one").versionId();
        String second = put("versioned", "two").versionId();
        String marker = client.deleteObject(request -> request.bucket(BUCKET).key("versioned")).versionId();
        refused("NoSuchKey", 404, () -> stored("versioned", null));
        var listed = client.listObjectVersions(request -> request.bucket(BUCKET).prefix("versioned"));
        var ids = listed.versions().stream().map(ObjectVersion::versionId).toList();
        expect(ids.equals(List.of(second, first)), "versions: " + ids);
        expect(listed.deleteMarkers().get(0).versionId().equals(marker), "another delete marker");
        client.deleteObject(request -> request.bucket(BUCKET).key("versioned").versionId(marker));
        expect(Arrays.equals(stored("versioned", null), "two".getBytes(UTF_8)), "not the second version");
        expect(Arrays.equals(stored("versioned", first), "one".getBytes(UTF_8)), "not the first version");
    }

    static void tags() {
        put("tagged", "", request -> request.tagging("from=header"));
        tagsAre(List.of(Tag.builder().key("from").value("header").build()));
        List<Tag> tags = List.of(Tag.builder().key("a key").value("ü/+").build());
        client.putObjectTagging(request -> request.bucket(BUCKET).key("tagged").tagging(set -> set.tagSet(tags)));
        tagsAre(tags);
        client.deleteObjectTagging(request -> request.bucket(BUCKET).key("tagged"));
        tagsAre(List.of());
    }

    static void tagsAre(List<Tag> wanted) {
        var found = client.getObjectTagging(request -> request.bucket(BUCKET).key("tagged")).tagSet();
        expect(found.equals(wanted), found + ", not " + wanted);
    }

    static void conditionalWrites() throws Exception {
        String key = "conditional";
        String first = put(key, "one", request -> request.ifNoneMatch("*")).eTag();
        refused("PreconditionFailed", 412, () -> put(key, "two", request -> request.ifNoneMatch("*")));
        refused("PreconditionFailed", 412, () -> put(key, "two", request -> request.ifMatch("\"0123\"")));
        refused("NoSuchKey", 404, () -> put("absent", "two", request -> request.ifMatch(first)));
        // The key was written while the upload was open, if with the same bytes: whoever completes has to look again.
        String id = client.createMultipartUpload(request -> request.bucket(BUCKET).key(key)).uploadId();
        put(key, "one");
        sendPart(key, id, 1, "two".getBytes(UTF_8));
        refused("ConditionalRequestConflict", 409, () -> complete(key, id, request -> request.ifMatch(first)));
        refused("PreconditionFailed", 412, () -> complete(key, id, request -> request.ifNoneMatch("*")));
        expect(Arrays.equals(stored(key, null), "one".getBytes(UTF_8)), "something was written");
    }

    static void sendPart(String key, String id, int number, byte[] body) {
        client.uploadPart(
                request -> request.bucket(BUCKET).key(key).uploadId(id).partNumber(number), RequestBody.fromBytes(body));
    }

    static List<CompletedPart> listParts(String key, String id) {
        return client.listPartsPaginator(request -> request.bucket(BUCKET).key(key).uploadId(id).maxParts(7))
                .parts().stream()
                .map(part -> CompletedPart.builder()
                        .partNumber(part.partNumber()).eTag(part.eTag()).checksumCRC32(part.checksumCRC32()).build())
                .toList();
    }

    /** Lists the parts that have arrived, and completes with all of them. */
    static void complete(String key, String id, Consumer<CompleteMultipartUploadRequest.Builder> more) {
        List<CompletedPart> parts = listParts(key, id);
        CompleteMultipartUploadRequest.Builder request = CompleteMultipartUploadRequest.builder()
                .bucket(BUCKET).key(key).uploadId(id).multipartUpload(upload -> upload.parts(parts));
        more.accept(request);
        client.completeMultipartUpload(request.build());
    }

    static byte[] piece(int index) {
        return Arrays.copyOfRange(large, index * PART_LEN, Math.min(large.length, (index + 1) * PART_LEN));
    }

    static int pieces() {
        return (large.length + PART_LEN - 1) / PART_LEN;
    }

    static void begin(Path state) throws Exception {
        String id = client.createMultipartUpload(request ->
                request.bucket(BUCKET).key("resumed").checksumAlgorithm(ChecksumAlgorithm.CRC32)).uploadId();
        for (int index = 0; index < pieces(); index += 2) {
            sendPart("resumed", id, index + 1, piece(index));
        }
        Files.writeString(state, id);
    }

    static void resume(Path state) throws Exception {
        String id = Files.readString(state);
        Map<Integer, CompletedPart> arrived = listParts("resumed", id).stream()
                .collect(Collectors.toMap(CompletedPart::partNumber, part -> part));
        int sent = 0;
        for (int index = 0; index < pieces(); index++) {
            if (!arrived.containsKey(index + 1)) {
                sendPart("resumed", id, index + 1, piece(index));
                sent++;
            }
        }
        expect(sent == pieces() / 2, sent + " parts were missing");
        complete("resumed", id, request -> {});
        expect(Arrays.equals(stored("resumed", null), large), "the download differs");
    }
}
