#include <string.h>
#include "bridge.h"
#include "_cgo_export.h"

static const struct cpg_name group = {.length = 5, .value = "cmand"};

static uintptr_t cpg_owner(cpg_handle_t h)
{
	void *owner = NULL;
	cpg_context_get(h, &owner);
	return (uintptr_t)owner;
}

static void on_deliver(cpg_handle_t h, const struct cpg_name *name, uint32_t node, uint32_t pid, void *msg, size_t len)
{
	memberFrame(cpg_owner(h), node, pid, msg, len);
}

static void on_change(cpg_handle_t h, const struct cpg_name *name,
	const struct cpg_address *members, size_t members_len,
	const struct cpg_address *left, size_t left_len,
	const struct cpg_address *joined, size_t joined_len)
{
	memberGroup(cpg_owner(h), (struct cpg_address *)members, members_len,
		(struct cpg_address *)left, left_len, (struct cpg_address *)joined, joined_len);
}

static void on_ring(cpg_handle_t h, struct cpg_ring_id ring, uint32_t len, const uint32_t *online)
{
	memberRing(cpg_owner(h), ring.nodeid, ring.seq, (uint32_t *)online, len);
}

cs_error_t member_cpg_open(cpg_handle_t *h, uintptr_t owner)
{
	cpg_model_v1_data_t model = {
		.model = CPG_MODEL_V1,
		.cpg_deliver_fn = on_deliver,
		.cpg_confchg_fn = on_change,
		.cpg_totem_confchg_fn = on_ring,
		.flags = CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF,
	};
	return cpg_model_initialize(h, CPG_MODEL_V1, (cpg_model_data_t *)&model, (void *)owner);
}

cs_error_t member_cpg_join(cpg_handle_t h)
{
	return cpg_join(h, &group);
}

cs_error_t member_cpg_leave(cpg_handle_t h)
{
	return cpg_leave(h, &group);
}

cs_error_t member_cpg_send(cpg_handle_t h, void *head, size_t head_len, void *body, size_t body_len)
{
	struct iovec parts[2] = {{head, head_len}, {body, body_len}};
	return cpg_mcast_joined(h, CPG_TYPE_AGREED, parts, body_len ? 2 : 1);
}

static void on_quorum(quorum_handle_t h, uint32_t quorate, struct quorum_ring_id ring, uint32_t len, const uint32_t *online)
{
	const void *owner = NULL;
	quorum_context_get(h, &owner);
	memberVerdict((uintptr_t)owner, ring.nodeid, ring.seq, quorate);
}

// The library calls it without asking whether it is there.
static void on_nodes(quorum_handle_t h, struct quorum_ring_id ring,
	uint32_t members_len, const uint32_t *members,
	uint32_t joined_len, const uint32_t *joined,
	uint32_t left_len, const uint32_t *left)
{
}

cs_error_t member_quorum_open(quorum_handle_t *h, uintptr_t owner)
{
	uint32_t type;
	quorum_model_v1_data_t model = {
		.model = QUORUM_MODEL_V1,
		.quorum_notify_fn = on_quorum,
		.nodelist_notify_fn = on_nodes,
	};
	cs_error_t err = quorum_model_initialize(h, QUORUM_MODEL_V1, (quorum_model_data_t *)&model, &type, (void *)owner);
	if (err == CS_OK && type != QUORUM_SET) {
		quorum_finalize(*h);
		return CS_ERR_NOT_SUPPORTED;
	}
	return err;
}
