// The official SDK for Go and its transfer manager against the gateway, with the settings a new user has. Two runs
// with a kill of the gateway between them: `begin FILE` sends every second part of an upload and leaves its id in
// FILE, `resume FILE` asks ListParts what is there and sends the rest. Prints a line a check (Test Anything Protocol).
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"os"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

const partLen = 5 << 20

var (
	ctx    = context.Background()
	bucket = aws.String("compat")
	client *s3.Client
	// The same bytes in both runs, so that the second can tell whether the first one's arrived.
	large = content()
)

func content() []byte {
	mib, err := strconv.Atoi(os.Getenv("COMPAT_MIB"))
	if err != nil {
		mib = 256
	}
	data := make([]byte, max(mib, 16)<<20+12345)
	rand.New(rand.NewSource(7)).Read(data)
	return data
}

func main() {
	settings, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		panic(err)
	}
	client = s3.NewFromConfig(settings, func(options *s3.Options) { options.UsePathStyle = true })
	switch os.Args[1] {
	case "begin":
		check("makes a bucket", makesABucket)
		check("the transfer manager uploads in parts with checksums and downloads", transferManager)
		check("presigned URLs upload and download", presigned)
		check("keeps versions", versions)
		check("keeps tags", tags)
		check("honours conditional writes", conditionalWrites)
		check("begins an upload and sends every second part", begin)
	case "resume":
		check("an upload goes on after kill -9 of the gateway", resume)
	}
}

func check(name string, run func() error) {
	if err := run(); err != nil {
		fmt.Printf("not ok %s\n# %v\n", name, err)
		return
	}
	fmt.Println("ok", name)
}

// refused is nil when the gateway answered with this code and status.
func refused(err error, code string, status int) error {
	var answer smithy.APIError
	var response interface{ HTTPStatusCode() int }
	if errors.As(err, &answer) && errors.As(err, &response) && answer.ErrorCode() == code && response.HTTPStatusCode() == status {
		return nil
	}
	return fmt.Errorf("wanted %s with status %d, got: %v", code, status, err)
}

func makesABucket() error {
	if _, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket}); err != nil {
		return err
	}
	_, err := client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: bucket})
	return err
}

func put(key, body string) (*s3.PutObjectOutput, error) {
	return client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: bytes.NewReader([]byte(body))})
}

// holds compares what is stored, of one version if that is given, with what it should be.
func holds(key string, version *string, wanted []byte) error {
	answer, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: &key, VersionId: version})
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	found, err := io.ReadAll(answer.Body)
	if err == nil && !bytes.Equal(found, wanted) {
		err = fmt.Errorf("%s: %d bytes came back, and they differ", key, len(found))
	}
	return err
}

func transferManager() error {
	manager := transfermanager.New(client)
	key := aws.String("transferred")
	// The first reader can be rewound; the second cannot, so its checksum can only go in a trailer.
	for _, body := range []io.Reader{bytes.NewReader(large), io.MultiReader(bytes.NewReader(large))} {
		if _, err := manager.UploadObject(ctx, &transfermanager.UploadObjectInput{Bucket: bucket, Key: key, Body: body}); err != nil {
			return err
		}
		head, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: key, ChecksumMode: types.ChecksumModeEnabled})
		if err != nil {
			return err
		}
		if head.ChecksumCRC32 == nil || *head.ContentLength != int64(len(large)) {
			return fmt.Errorf("CRC32 %v, %d bytes", head.ChecksumCRC32, *head.ContentLength)
		}
		back := make([]byte, len(large))
		target := &bytesAt{back}
		if _, err := manager.DownloadObject(ctx, &transfermanager.DownloadObjectInput{Bucket: bucket, Key: key, WriterAt: target}); err != nil {
			return err
		}
		if !bytes.Equal(back, large) {
			return errors.New("the download differs")
		}
	}
	return nil
}

type bytesAt struct{ bytes []byte }

func (target *bytesAt) WriteAt(piece []byte, offset int64) (int, error) {
	return copy(target.bytes[offset:], piece), nil
}

func presigned() error {
	signer := s3.NewPresignClient(client)
	key := aws.String("signed by url")
	upload, err := signer.PresignPutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key, ContentType: aws.String("text/plain")})
	if err != nil {
		return err
	}
	request, err := http.NewRequest(upload.Method, upload.URL, bytes.NewReader([]byte("from a url")))
	if err != nil {
		return err
	}
	request.Header = upload.SignedHeader
	request.Header.Del("Host")
	if answer, err := http.DefaultClient.Do(request); err != nil || answer.StatusCode != 200 {
		return fmt.Errorf("upload: %v %v", answer, err)
	}
	download, err := signer.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: key})
	if err != nil {
		return err
	}
	answer, err := http.Get(download.URL)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	found, err := io.ReadAll(answer.Body)
	if err != nil || string(found) != "from a url" || answer.Header.Get("Content-Type") != "text/plain" {
		return fmt.Errorf("download: %v %q %v", answer.Status, found, err)
	}
	return holds(*key, nil, []byte("from a url"))
}

func versions() error {
	enabled := &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}
	if _, err := client.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: bucket, VersioningConfiguration: enabled}); err != nil {
		return err
	}
	first, err := put("versioned", "one")
	if err != nil {
		return err
	}
	second, err := put("versioned", "two")
	if err != nil {
		return err
	}
	marker, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String("versioned")})
	if err != nil {
		return err
	}
	_, err = client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: aws.String("versioned")})
	listed, listErr := client.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: bucket, Prefix: aws.String("versioned")})
	if listErr != nil {
		return listErr
	}
	if len(listed.Versions) != 2 || len(listed.DeleteMarkers) != 1 || *listed.Versions[0].VersionId != *second.VersionId {
		return fmt.Errorf("listed: %+v", listed)
	}
	_, undone := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String("versioned"), VersionId: marker.VersionId})
	return errors.Join(
		refused(err, "NoSuchKey", 404),
		undone,
		holds("versioned", nil, []byte("two")),
		holds("versioned", first.VersionId, []byte("one")),
	)
}

func tags() error {
	key := aws.String("tagged")
	tagging := aws.String("from=header")
	_, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key, Body: bytes.NewReader(nil), Tagging: tagging})
	if err != nil {
		return err
	}
	if err := tagsAre(key, "from=header"); err != nil {
		return err
	}
	set := &types.Tagging{TagSet: []types.Tag{{Key: aws.String("a key"), Value: aws.String("ü/+")}}}
	if _, err := client.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{Bucket: bucket, Key: key, Tagging: set}); err != nil {
		return err
	}
	if err := tagsAre(key, "a key=ü/+"); err != nil {
		return err
	}
	if _, err := client.DeleteObjectTagging(ctx, &s3.DeleteObjectTaggingInput{Bucket: bucket, Key: key}); err != nil {
		return err
	}
	return tagsAre(key)
}

func tagsAre(key *string, wanted ...string) error {
	answer, err := client.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: bucket, Key: key})
	if err != nil {
		return err
	}
	var found []string
	for _, tag := range answer.TagSet {
		found = append(found, *tag.Key+"="+*tag.Value)
	}
	if fmt.Sprint(found) != fmt.Sprint(wanted) {
		return fmt.Errorf("tags: %q, not %q", found, wanted)
	}
	return nil
}

func conditionalWrites() error {
	key, body := aws.String("conditional"), func() io.Reader { return bytes.NewReader([]byte("one")) }
	any := aws.String("*")
	first, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key, Body: body(), IfNoneMatch: any})
	if err != nil {
		return err
	}
	_, again := client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key, Body: body(), IfNoneMatch: any})
	_, stale := client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key, Body: body(), IfMatch: aws.String(`"0123"`)})
	_, absent := client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: aws.String("absent"), Body: body(), IfMatch: first.ETag})
	// The key was written while the upload was open, if with the same bytes: whoever completes has to look again.
	upload, err := client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key})
	if err != nil {
		return err
	}
	if _, err := put(*key, "one"); err != nil {
		return err
	}
	if err := sendPart(upload, 1, []byte("two")); err != nil {
		return err
	}
	conflict := complete(upload, func(input *s3.CompleteMultipartUploadInput) { input.IfMatch = first.ETag })
	exists := complete(upload, func(input *s3.CompleteMultipartUploadInput) { input.IfNoneMatch = any })
	return errors.Join(
		refused(again, "PreconditionFailed", 412),
		refused(stale, "PreconditionFailed", 412),
		refused(absent, "NoSuchKey", 404),
		refused(conflict, "ConditionalRequestConflict", 409),
		refused(exists, "PreconditionFailed", 412),
		holds(*key, nil, []byte("one")),
	)
}

func sendPart(upload *s3.CreateMultipartUploadOutput, number int32, body []byte) error {
	_, err := client.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: bucket, Key: upload.Key, UploadId: upload.UploadId, PartNumber: &number, Body: bytes.NewReader(body),
		ChecksumAlgorithm: upload.ChecksumAlgorithm,
	})
	return err
}

func listParts(upload *s3.CreateMultipartUploadOutput) (map[int32]types.CompletedPart, []types.CompletedPart, error) {
	byNumber, inOrder := map[int32]types.CompletedPart{}, []types.CompletedPart{}
	pages := s3.NewListPartsPaginator(client, &s3.ListPartsInput{
		Bucket: bucket, Key: upload.Key, UploadId: upload.UploadId, MaxParts: aws.Int32(7),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, nil, err
		}
		for _, part := range page.Parts {
			known := types.CompletedPart{PartNumber: part.PartNumber, ETag: part.ETag, ChecksumCRC32: part.ChecksumCRC32}
			byNumber[*part.PartNumber] = known
			inOrder = append(inOrder, known)
		}
	}
	return byNumber, inOrder, nil
}

// complete lists the parts that have arrived, and completes with all of them.
func complete(upload *s3.CreateMultipartUploadOutput, change func(*s3.CompleteMultipartUploadInput)) error {
	_, parts, err := listParts(upload)
	if err != nil {
		return err
	}
	input := &s3.CompleteMultipartUploadInput{
		Bucket: bucket, Key: upload.Key, UploadId: upload.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	}
	change(input)
	_, err = client.CompleteMultipartUpload(ctx, input)
	return err
}

func pieces() [][]byte {
	var pieces [][]byte
	for start := 0; start < len(large); start += partLen {
		pieces = append(pieces, large[start:min(start+partLen, len(large))])
	}
	return pieces
}

func begin() error {
	upload, err := client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: bucket, Key: aws.String("resumed"), ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
	})
	if err != nil {
		return err
	}
	for index, piece := range pieces() {
		if index%2 == 0 {
			if err := sendPart(upload, int32(index+1), piece); err != nil {
				return err
			}
		}
	}
	return os.WriteFile(os.Args[2], []byte(*upload.UploadId), 0o600)
}

func resume() error {
	id, err := os.ReadFile(os.Args[2])
	if err != nil {
		return err
	}
	upload := &s3.CreateMultipartUploadOutput{
		Key: aws.String("resumed"), UploadId: aws.String(string(id)), ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
	}
	arrived, _, err := listParts(upload)
	if err != nil {
		return err
	}
	sent := 0
	for index, piece := range pieces() {
		if _, there := arrived[int32(index+1)]; !there {
			sent++
			if err := sendPart(upload, int32(index+1), piece); err != nil {
				return err
			}
		}
	}
	if wanted := len(pieces()) / 2; sent != wanted {
		return fmt.Errorf("%d parts were missing, not %d", sent, wanted)
	}
	if err := complete(upload, func(*s3.CompleteMultipartUploadInput) {}); err != nil {
		return err
	}
	return holds("resumed", nil, large)
}
