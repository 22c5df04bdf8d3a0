/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a connection's input. They come in steps whose sizes the bytes themselves say, and once more as large as the
 * reader has room; both must give the same frames and the same end. Each frame is parsed as a call, and what was a call goes
 * into a reply and must come out of it again.
 */
#include <stdlib.h>
#include <string.h>

#include "protocol/frame.h"
#include "protocol/message.h"
#include "tests/fuzz/fuzz.h"

#define MAX 256 /* short, so that a small input reaches it */

/* What became of a stream: its frames as a number, and how it ended. */
struct outcome {
	uint64_t hash;
	size_t n_frames;
	int end;
	enum frame_mode mode;
	bool is_partial;
};

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_reply(const struct message_call *call)
{
	CLEANUP(json_decrefp) json_t *root = NULL;
	CLEANUP(freep) char *text = NULL;
	size_t len = 0;

	text = message_format_reply(call->method, json_incref(call->parameters), &len);
	if (!text) /* jansson reads "\u0000" in no string, so a call can always be written again */
		abort();
	require(len == strlen(text) && !memchr(text, '\n', len));
	root = json_loadb(text, len, 0, NULL);
	require(json_is_object(root));
	require(strcmp(json_string_value(json_object_get(root, "error")), call->method) == 0);
	if (call->parameters)
		require(json_equal(json_object_get(root, "parameters"), call->parameters));
}

static void parse_frame(const char *text, size_t len)
{
	char reason[MESSAGE_REASON_BYTES] = "";
	struct message_call call;
	int r = message_parse_call(text, len, &call, reason);

	if (r < 0) {
		require(r == -EBADMSG && reason[0] && memchr(reason, '\0', sizeof(reason)));
		return;
	}
	require(json_is_object(call.root) && call.method);
	require(!call.parameters || json_is_object(call.parameters));
	require(!call.bad_field || json_object_get(call.root, call.bad_field));
	check_reply(&call);
	message_call_done(&call);
}

static void check_reader(const struct frame_reader *reader)
{
	require(reader->start <= reader->scanned && reader->scanned <= reader->len);
	require(reader->len <= reader->allocated && reader->allocated <= MAX + 1);
	require((reader->data == NULL) == (reader->allocated == 0));
}

static int take_frames(struct frame_reader *reader, struct outcome *outcome, bool parse)
{
	const char *text;
	size_t len;
	int r;

	while ((r = frame_reader_next(reader, &text, &len)) > 0) {
		check_reader(reader);
		require(len <= MAX);
		for (size_t i = 0; i < len; i++)
			outcome->hash = (outcome->hash ^ (uint8_t)text[i]) * 1099511628211U;
		outcome->hash = (outcome->hash ^ len) * 1099511628211U;
		outcome->n_frames++;
		if (parse)
			parse_frame(text, len);
	}
	check_reader(reader);
	return r;
}

static void read_stream(const uint8_t *data, size_t size, enum frame_mode mode, bool in_steps,
			struct outcome *ret)
{
	struct outcome outcome = { 0 };
	struct frame_reader reader;
	int r = 0;

	frame_reader_init(&reader, MAX, mode);
	for (size_t done = 0; done < size && r == 0;) {
		size_t step = in_steps ? 1 + (size_t)data[done] % 32 : size, room;
		char *space;

		if (frame_reader_get_space(&reader, &space, &room) < 0)
			abort();
		require(room > 0);
		if (step > room)
			step = room;
		if (step > size - done)
			step = size - done;
		memcpy(space, data + done, step);
		frame_reader_add(&reader, step);
		done += step;
		r = take_frames(&reader, &outcome, in_steps);
	}
	require(r == 0 || r == -EMSGSIZE || r == -EPROTO);
	outcome.end = r;
	outcome.mode = reader.mode;
	outcome.is_partial = r == 0 && frame_reader_is_partial(&reader);
	require(r < 0 || outcome.is_partial == (reader.data != NULL));
	frame_reader_done(&reader);
	*ret = outcome;
}

static void compare(const uint8_t *data, size_t size, enum frame_mode mode)
{
	struct outcome stepwise, at_once;

	read_stream(data, size, mode, true, &stepwise);
	read_stream(data, size, mode, false, &at_once);
	require(stepwise.hash == at_once.hash && stepwise.n_frames == at_once.n_frames);
	require(stepwise.end == at_once.end && stepwise.mode == at_once.mode);
	require(stepwise.is_partial == at_once.is_partial);
	require(mode == FRAME_UNDECIDED || stepwise.mode == mode);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	compare(data, size, FRAME_UNDECIDED);
	compare(data, size, FRAME_NUL);
	return 0;
}
