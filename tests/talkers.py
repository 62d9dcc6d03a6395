"""Agents without a model, for tests of how chats go."""

from cellblock.agentchat import Agent, ConversableAgent


def speaker(name, *lines, kind=ConversableAgent, **options):
    """An agent that says these lines, one at a time, and then nothing; a line that is an exception is raised."""
    agent = kind(name, llm_config=False, human_input_mode="NEVER", **options)
    script = iter(lines)

    def reply(*_, **__):
        line = next(script, None)
        if isinstance(line, BaseException):
            raise line
        return True, line

    agent.register_reply([Agent, None], reply)
    return agent


def contents(result):
    """What was said, in order."""
    return [message["content"] for message in result.chat_history]
